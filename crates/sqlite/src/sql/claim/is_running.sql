SELECT 1
FROM job_queue
WHERE id = ?1
  AND worker_id = ?2
  AND claim_number = ?3
  AND status = 'running'
