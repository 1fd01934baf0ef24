SELECT run_at
FROM job_queue INDEXED BY job_queue_due
WHERE run_at IS NOT NULL
  AND status IN ('pending', 'retrying')
ORDER BY run_at
LIMIT 1
