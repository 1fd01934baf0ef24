SELECT lane
FROM job_queue
WHERE id = ?1
