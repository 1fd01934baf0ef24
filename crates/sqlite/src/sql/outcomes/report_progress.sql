UPDATE job_queue
SET progress = ?4,
    progress_message = ?5
WHERE id = ?1
  AND worker_id = ?2
  AND claim_number = ?3
  AND status = 'running'
