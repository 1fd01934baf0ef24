SELECT waits
FROM job_queue
WHERE id = ?1
