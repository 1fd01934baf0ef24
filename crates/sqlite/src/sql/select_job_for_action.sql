SELECT status, queue, job_type, failure_type, unique_key
FROM job_queue
WHERE id = ?1
