UPDATE job_queue
SET cancel_requested_at = COALESCE(cancel_requested_at, ?2)
WHERE id = ?1
  AND status = 'running'
