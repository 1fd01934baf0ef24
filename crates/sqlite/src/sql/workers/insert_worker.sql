-- If a worker registers again with the same identity, because its row or the first answer was lost, this only updates
-- its heartbeat.
INSERT INTO job_workers (
    worker_id, host, pid, started_at, heartbeat_at, heartbeat_number, lease_ms, queues, job_types, concurrency,
    boot_id, file_id
)
VALUES (?1, ?2, ?3, ?4, ?4, 0, ?5, ?6, ?7, ?8, ?9, ?10)
ON CONFLICT (worker_id) DO UPDATE
SET heartbeat_at = excluded.heartbeat_at,
    heartbeat_number = heartbeat_number + 1,
    boot_id = excluded.boot_id,
    file_id = excluded.file_id
