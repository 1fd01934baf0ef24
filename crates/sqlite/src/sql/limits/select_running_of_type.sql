-- As many as run now, however many wait.
SELECT id
FROM job_queue INDEXED BY job_queue_running
WHERE status = 'running'
  AND job_type = ?1
