-- Skips from one pair of type and queue with ready jobs to the next: one seek for each, however many jobs wait in it.
WITH RECURSIVE pair AS (
    (
        SELECT job_type, queue
        FROM longshore.ready
        ORDER BY job_type, queue
        LIMIT 1
    )
    UNION ALL
    SELECT next.*
    FROM pair
    CROSS JOIN LATERAL (
        SELECT r.job_type, r.queue
        FROM longshore.ready AS r
        WHERE (r.job_type, r.queue) > (pair.job_type, pair.queue)
        ORDER BY r.job_type, r.queue
        LIMIT 1
    ) AS next
)
SELECT job_type, queue
FROM pair
LIMIT $1
