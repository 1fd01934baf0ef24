UPDATE job_workers
SET heartbeat_at = ?2,
    heartbeat_number = heartbeat_number + 1,
    file_id = ?3
WHERE worker_id = ?1
