SELECT max(id)
FROM job_queue
