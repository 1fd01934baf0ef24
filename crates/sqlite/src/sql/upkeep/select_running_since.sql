-- The index holds only the running jobs.
SELECT id, job_type, started_at
FROM job_queue INDEXED BY job_queue_running
WHERE status = 'running'
  AND started_at <= ?1
LIMIT ?2
