-- A worker that registers again under the same identity keeps what it was registered with; only its session is new.
INSERT INTO longshore.worker (
    worker, host, pid, started_at, heartbeat_at, lease_ms, queues, job_types, concurrency, session_key, server_run
)
SELECT $1, $2, $3, at.now, at.now, $4, $5, $6, $7, $8, $9
FROM (SELECT longshore.now() AS now) at
ON CONFLICT (worker) DO UPDATE
SET heartbeat_at = excluded.heartbeat_at,
    heartbeat_number = worker.heartbeat_number + 1,
    session_key = excluded.session_key,
    server_run = excluded.server_run,
    is_given_up = false
