DELETE FROM job_queue
WHERE id = ?1
  AND status IN ('completed', 'cancelled')
  AND completed_at < ?2
