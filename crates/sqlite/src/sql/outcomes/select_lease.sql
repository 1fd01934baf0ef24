-- The values that the counts need for a running job that the writer does not remember.
SELECT queue, COALESCE(ready_at, created_at)
FROM job_queue
WHERE id = ?1
  AND worker_id = ?2
  AND claim_number = ?3
  AND status = 'running'
