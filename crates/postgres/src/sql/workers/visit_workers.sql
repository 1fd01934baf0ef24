-- The workers behind $1 in the ring, at most $2 before its end and as many after it, and those of $3. Whose lock is free
-- in the run of the server in which it was taken, its session has ended. Those who look share the lock, so that they do
-- not take each other for the worker; a lock that a cancelled statement leaves behind is shared, too.
WITH visited AS MATERIALIZED (
    (
        SELECT worker, 1 AS place
        FROM longshore.worker
        WHERE worker > $1
        ORDER BY worker
        LIMIT $2
    )
    UNION ALL
    (
        SELECT worker, 2
        FROM longshore.worker
        WHERE worker < $1
        ORDER BY worker
        LIMIT $2
    )
    UNION ALL
    SELECT worker, 3
    FROM longshore.worker
    WHERE worker = ANY ($3)
)
SELECT w.worker, name.worker_id, w.heartbeat_number, w.lease_ms, w.session_key, w.is_given_up,
       visited.place = 3 AS is_extra,
       CASE
           WHEN server_run.run IS NULL THEN NULL
           WHEN pg_try_advisory_lock_shared(w.session_key) THEN pg_advisory_unlock_shared(w.session_key)
           ELSE false
       END AS is_free
FROM visited
JOIN longshore.worker w ON w.worker = visited.worker
JOIN longshore.worker_name name ON name.worker = w.worker
LEFT JOIN longshore.server_run
    ON server_run.started_at = pg_postmaster_start_time()
    AND server_run.run = w.server_run
ORDER BY visited.place, w.worker
