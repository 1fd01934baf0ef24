SELECT status, queue, expires_at, deadline_at
FROM job_queue
WHERE id = ?1
