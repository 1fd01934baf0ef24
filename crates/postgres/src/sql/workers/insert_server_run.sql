INSERT INTO longshore.server_run (started_at, run)
VALUES (pg_postmaster_start_time(), $1)
ON CONFLICT (started_at) DO NOTHING
