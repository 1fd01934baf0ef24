SELECT w.worker, name.worker_id, w.host, w.pid, w.started_at, w.heartbeat_at, w.heartbeat_number, w.lease_ms,
    w.queues, w.job_types, w.concurrency, w.session_key, w.is_given_up, w.server_run IS NOT NULL AS has_lock,
    longshore.now() AS now
FROM longshore.worker w
JOIN longshore.worker_name name ON name.worker = w.worker
ORDER BY name.worker_id COLLATE "C"
LIMIT $1
