-- Skips from type to type of one queue on the claim index.
SELECT job_type
FROM job_queue INDEXED BY job_queue_ready
WHERE status = 'pending'
  AND run_at IS NULL
  AND queue = ?1
  AND job_type > ?2
ORDER BY job_type
LIMIT 1
