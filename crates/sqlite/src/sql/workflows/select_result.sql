SELECT result
FROM job_queue
WHERE id = ?1
