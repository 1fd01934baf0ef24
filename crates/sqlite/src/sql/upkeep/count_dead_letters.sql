SELECT count(*)
FROM job_queue INDEXED BY job_queue_dead_letter
WHERE status = 'dead_letter'
