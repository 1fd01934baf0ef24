SELECT job_queue.parent_job_id, job_queue.status, parent.status
FROM job_queue
LEFT JOIN job_queue AS parent ON parent.id = job_queue.parent_job_id
WHERE job_queue.id = ?1
