SELECT count(*)
FROM job_queue INDEXED BY job_queue_running
WHERE worker_id = ?1
  AND status = 'running'
