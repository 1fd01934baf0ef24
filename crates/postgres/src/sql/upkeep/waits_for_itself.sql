-- Whether the parents of a blocked job lead back to it.
WITH RECURSIVE line AS (
    SELECT $2::bigint AS ancestor, 1 AS generation
    UNION ALL
    SELECT parent.parent_job_id, line.generation + 1
    FROM line
    CROSS JOIN LATERAL (
        SELECT parent_job_id
        FROM longshore.blocked
        WHERE id = line.ancestor
        LIMIT 1
    ) AS parent
    WHERE line.ancestor <> $1
      AND line.generation < 10000
)
SELECT 1
FROM line
WHERE ancestor = $1
LIMIT 1
