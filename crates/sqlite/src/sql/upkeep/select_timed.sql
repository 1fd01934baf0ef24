-- Those that are due already come first. The limit counts retrying jobs, too, because the index does not know which ones
-- are pending.
SELECT COALESCE(queue, 'default') AS queue, status, run_at
FROM job_queue INDEXED BY job_queue_due
WHERE run_at IS NOT NULL
  AND status IN ('pending', 'retrying')
ORDER BY run_at
LIMIT ?1
