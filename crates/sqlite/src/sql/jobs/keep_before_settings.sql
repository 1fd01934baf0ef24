-- A job that runs or has ended is counted in its queue and keeps what it has.
UPDATE job_queue
SET awaits_settings = NULL
WHERE id = ?1
