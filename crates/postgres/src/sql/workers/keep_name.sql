-- Housekeeping deletes the names of workers that nothing mentions any more. From here on to the end of the transaction it
-- leaves this one alone, or it comes back with the number that this process remembers.
INSERT INTO longshore.worker_name (worker, worker_id)
OVERRIDING SYSTEM VALUE
VALUES ($1, $2)
ON CONFLICT (worker_id) DO UPDATE
SET worker_id = excluded.worker_id
