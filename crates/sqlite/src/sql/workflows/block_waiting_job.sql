UPDATE job_queue
SET waits = ?2,
    status = CASE status WHEN 'pending' THEN 'blocked' ELSE status END
WHERE id = ?1
