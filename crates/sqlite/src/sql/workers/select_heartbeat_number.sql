SELECT heartbeat_number
FROM job_workers
WHERE worker_id = ?1
