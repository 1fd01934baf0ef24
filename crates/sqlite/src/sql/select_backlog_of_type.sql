-- Counts up to a bound, so that a page costs the same whatever waits.
SELECT count(*), min(ready)
FROM (
    SELECT COALESCE(ready_at, created_at) AS ready
    FROM job_queue INDEXED BY job_queue_ready
    WHERE status = 'pending'
      AND run_at IS NULL
      AND queue = ?1
      AND job_type = ?2
    LIMIT ?3
)
