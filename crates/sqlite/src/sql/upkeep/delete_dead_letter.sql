DELETE FROM job_queue
WHERE id = ?1
  AND status = 'dead_letter'
