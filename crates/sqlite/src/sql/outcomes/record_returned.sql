UPDATE job_queue
SET status = 'pending',
    started_at = COALESCE(?5, started_at),
    ready_at = ?6
WHERE id = ?1
  AND worker_id = ?2
  AND claim_number = ?3
  AND status = 'running'
  AND queue = ?4
