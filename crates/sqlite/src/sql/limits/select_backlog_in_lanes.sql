-- The ready jobs of a limited type by queue, counted up to a limit.
SELECT queue, count(*), min(ready)
FROM (
    SELECT COALESCE(queue, 'default') AS queue, COALESCE(ready_at, created_at) AS ready
    FROM job_queue INDEXED BY job_queue_lanes
    WHERE status = 'pending'
      AND lane > ?1
      AND lane < ?2
      AND run_at IS NULL
    LIMIT ?3
)
GROUP BY queue
