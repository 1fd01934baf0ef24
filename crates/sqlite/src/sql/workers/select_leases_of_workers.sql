SELECT worker_id, heartbeat_number, lease_ms, boot_id, file_id
FROM job_workers
ORDER BY worker_id
