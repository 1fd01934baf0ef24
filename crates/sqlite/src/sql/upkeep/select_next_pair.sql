-- Skips from one pair of type and queue with ready jobs to the next: a seek or two for each, however many jobs wait in it.
-- One comparison of both columns would walk through all jobs of the last pair.
SELECT job_type, queue
FROM (
    SELECT * FROM (
        SELECT job_type, queue
        FROM job_queue INDEXED BY job_queue_ready
        WHERE job_type = ?1
          AND queue > ?2
          AND status = 'pending'
          AND run_at IS NULL
          AND lane IS NULL
        ORDER BY queue
        LIMIT 1
    )
    UNION ALL
    SELECT * FROM (
        SELECT job_type, queue
        FROM job_queue INDEXED BY job_queue_ready
        WHERE job_type > ?1
          AND status = 'pending'
          AND run_at IS NULL
          AND lane IS NULL
        ORDER BY job_type, queue
        LIMIT 1
    )
)
ORDER BY job_type, queue
LIMIT 1
