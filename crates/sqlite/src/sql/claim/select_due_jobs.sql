SELECT id, queue, status, job_type
FROM job_queue INDEXED BY job_queue_due
WHERE run_at <= ?1
  AND status IN ('pending', 'retrying')
ORDER BY run_at
LIMIT ?2
