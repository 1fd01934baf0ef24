SELECT worker_id, heartbeat_number, lease_ms
FROM job_workers
ORDER BY worker_id
