-- One process at a time settles what follows from the ends of jobs. The others wait for it.
SELECT pg_advisory_xact_lock(hashtextextended('longshore.workflows', 0))
