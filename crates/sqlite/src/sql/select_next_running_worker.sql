-- Skips from worker to worker on the index of running jobs, and ends before blobs, as select_next_ready_queue does.
SELECT worker_id
FROM job_queue INDEXED BY job_queue_running
WHERE status = 'running'
  AND worker_id > ?1
  AND worker_id < x''
ORDER BY worker_id
LIMIT 1
