-- Ready jobs of a queue, counted up to a limit. A person asks for it: it walks the ready jobs of other queues, too.
SELECT count(*)
FROM (
    SELECT *
    FROM (
        SELECT 1
        FROM job_queue INDEXED BY job_queue_ready
        WHERE queue = ?1
          AND status = 'pending'
          AND run_at IS NULL
          AND lane IS NULL
        LIMIT ?2
    )
    UNION ALL
    SELECT *
    FROM (
        SELECT 1
        FROM job_lanes AS own
        CROSS JOIN job_queue AS job INDEXED BY job_queue_lanes
          ON job.lane = own.id AND job.status = 'pending' AND job.run_at IS NULL
        WHERE own.queue = ?1
        LIMIT ?2
    )
    LIMIT ?2
)
