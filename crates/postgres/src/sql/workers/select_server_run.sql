SELECT run
FROM longshore.server_run
WHERE started_at = pg_postmaster_start_time()
