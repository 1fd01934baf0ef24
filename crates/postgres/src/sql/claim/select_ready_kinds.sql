-- The types ($1) and queues of which jobs are ready: one seek for each, and one more.
WITH RECURSIVE kind AS (
    SELECT t.job_type, '' AS queue
    FROM unnest($1::text[]) t (job_type)
    UNION ALL
    SELECT k.job_type, n.queue
    FROM kind k
    CROSS JOIN LATERAL (
        SELECT r.queue
        FROM longshore.ready r
        WHERE r.job_type = k.job_type
          AND r.queue > k.queue
        ORDER BY r.job_type, r.queue, r.rank, r.again, r.id
        LIMIT 1
    ) n
)
SELECT k.job_type, k.queue
FROM kind k
WHERE k.queue <> ''
  AND NOT EXISTS (SELECT 1 FROM longshore.queue_pause p WHERE p.queue = k.queue)
LIMIT 64
