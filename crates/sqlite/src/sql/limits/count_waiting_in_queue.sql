-- Ready jobs of a queue, counted up to a limit. The claim index begins with the type, so the types are found by skipping from
-- one to the next: a seek for each, however many jobs of other queues wait.
WITH RECURSIVE type(name) AS (
    SELECT *
    FROM (
        SELECT job_type
        FROM job_queue INDEXED BY job_queue_ready
        WHERE status = 'pending'
          AND run_at IS NULL
          AND lane IS NULL
        ORDER BY job_type
        LIMIT 1
    )
    UNION ALL
    SELECT (
        SELECT job_type
        FROM job_queue INDEXED BY job_queue_ready
        WHERE job_type > type.name
          AND status = 'pending'
          AND run_at IS NULL
          AND lane IS NULL
        ORDER BY job_type
        LIMIT 1
    )
    FROM type
    WHERE type.name IS NOT NULL
)
SELECT count(*)
FROM (
    SELECT *
    FROM (
        SELECT 1
        FROM type
        CROSS JOIN job_queue AS job INDEXED BY job_queue_ready
          ON job.job_type = type.name AND job.queue = ?1
         AND job.status = 'pending' AND job.run_at IS NULL AND job.lane IS NULL
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
