-- The next worker in the order of the ids. A search for dead workers goes from one to the next.
SELECT worker_id, heartbeat_number, lease_ms, boot_id, file_id
FROM job_workers
WHERE worker_id > ?1
ORDER BY worker_id
LIMIT 1
