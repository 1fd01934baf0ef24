-- The types that have keys.
WITH RECURSIVE kind AS (
    SELECT '' COLLATE "C" AS job_type
    UNION ALL
    SELECT n.job_type
    FROM kind AS k
    CROSS JOIN LATERAL (
        SELECT l.job_type
        FROM longshore.limit_key AS l
        WHERE l.job_type > k.job_type
        ORDER BY l.job_type
        LIMIT 1
    ) AS n
)
SELECT job_type
FROM kind
WHERE job_type <> ''
