SELECT status
FROM job_queue
WHERE id = ?1
