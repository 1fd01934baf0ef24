-- Skips from worker to worker on the index of running jobs.
SELECT worker_id
FROM job_queue INDEXED BY job_queue_running
WHERE status = 'running'
  AND worker_id > ?1
ORDER BY worker_id
LIMIT 1
