-- Which of the blocked jobs $1 wait for one of $2, themselves or through blocked jobs between.
WITH RECURSIVE line AS (
    SELECT id, parent_job_id AS ancestor, 1 AS generation
    FROM longshore.blocked
    WHERE id = ANY($1)
    UNION ALL
    SELECT line.id, parent.parent_job_id, line.generation + 1
    FROM line
    CROSS JOIN LATERAL (
        SELECT parent_job_id
        FROM longshore.blocked
        WHERE id = line.ancestor
        LIMIT 1
    ) AS parent
    WHERE line.generation < 10000
      AND line.ancestor <> ALL($2)
)
SELECT DISTINCT id
FROM line
WHERE ancestor = ANY($2)
