UPDATE job_queue
SET priority = ?2
WHERE id = ?1
  AND status IN ('pending', 'running', 'retrying', 'blocked')
