SELECT id, claim_number, cancel_requested_at IS NOT NULL
FROM job_queue INDEXED BY job_queue_running
WHERE worker_id = ?1
  AND status = 'running'
ORDER BY id
