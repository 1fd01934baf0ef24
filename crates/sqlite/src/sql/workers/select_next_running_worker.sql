-- Skips from worker to worker on the index of running jobs, as select_next_ready_queue does from queue to queue.
-- Ends before blobs that another program may have written: read as text, they would be found again and again.
SELECT worker_id
FROM job_queue INDEXED BY job_queue_running
WHERE status = 'running'
  AND worker_id > ?1
  AND worker_id < x''
ORDER BY worker_id
LIMIT 1
