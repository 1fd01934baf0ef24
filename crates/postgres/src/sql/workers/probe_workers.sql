-- Whose lock was given up: free, although the run of the server in which it was taken goes on. Those who look share the
-- lock, so that they do not take each other for the worker. A lock that a cancelled statement leaves behind is shared,
-- too. Only where the server is no replica, because what is not logged cannot be read there.
SELECT w.worker, w.session_key,
    CASE WHEN pg_try_advisory_lock_shared(w.session_key) THEN pg_advisory_unlock_shared(w.session_key) ELSE false END
        AS is_free
FROM longshore.worker w
JOIN longshore.server_run ON server_run.started_at = pg_postmaster_start_time()
    AND server_run.run = w.server_run
WHERE w.worker = ANY ($1)
