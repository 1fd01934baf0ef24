-- The same, but nobody waits: the process that holds it goes on until nothing is left.
SELECT pg_try_advisory_xact_lock(hashtextextended('longshore.workflows', 0))
