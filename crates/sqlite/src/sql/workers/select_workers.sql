SELECT worker_id, host, pid, started_at, heartbeat_at, heartbeat_number, lease_ms, queues, job_types, concurrency,
       boot_id, file_id
FROM job_workers
ORDER BY worker_id
LIMIT ?1
