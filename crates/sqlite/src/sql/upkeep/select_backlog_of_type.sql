-- Counts up to a limit, so that the cost does not depend on the number of waiting jobs.
SELECT count(*), min(ready)
FROM (
    SELECT COALESCE(ready_at, created_at) AS ready
    FROM job_queue INDEXED BY job_queue_ready
    WHERE status = 'pending'
      AND run_at IS NULL
      AND lane IS NULL
      AND queue = ?1
      AND job_type = ?2
    LIMIT ?3
)
