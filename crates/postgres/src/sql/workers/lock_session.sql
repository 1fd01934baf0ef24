-- Nobody else knows this key before it is in the row of its worker.
SELECT pg_try_advisory_lock($1) AS is_held
