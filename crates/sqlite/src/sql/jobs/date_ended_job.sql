UPDATE job_queue
SET completed_at = ?2
WHERE id = ?1
  AND status IN ('completed', 'cancelled')
