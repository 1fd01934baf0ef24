-- A lock of this schema's move alone.
SELECT pg_advisory_xact_lock(hashtextextended('longshore.longshore_move', 0))
