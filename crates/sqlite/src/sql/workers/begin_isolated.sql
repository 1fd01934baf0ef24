UPDATE job_queue
SET isolated_claim = claim_number
WHERE id = ?1
  AND worker_id = ?2
  AND claim_number = ?3
  AND status = 'running'
