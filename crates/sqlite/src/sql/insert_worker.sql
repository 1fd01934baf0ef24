INSERT INTO job_workers (
    worker_id, host, pid, started_at, heartbeat_at, heartbeat_number, lease_ms, queues, job_types, concurrency
)
VALUES (?1, ?2, ?3, ?4, ?4, 0, ?5, ?6, ?7, ?8)
