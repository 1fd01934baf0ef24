-- Of these types ($1) those with a ready job, and of these queues ($2) those with one of any type of $3.
SELECT t.job_type AS name, false AS is_queue
FROM unnest($1::text[]) AS t (job_type)
WHERE EXISTS (SELECT FROM longshore.ready AS r WHERE r.job_type = t.job_type)
UNION ALL
SELECT q.queue, true
FROM unnest($2::text[]) AS q (queue)
WHERE EXISTS (
    SELECT
    FROM unnest($3::text[]) AS t (job_type)
    CROSS JOIN LATERAL (
        SELECT
        FROM longshore.ready AS r
        WHERE r.job_type = t.job_type
          AND r.queue = q.queue
        LIMIT 1
    ) AS r
)
