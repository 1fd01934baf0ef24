-- One at a time sorts the jobs of a type. Another one goes on without.
SELECT pg_try_advisory_xact_lock(hashtextextended('longshore.' || $1::text, 7)) AS is_mine
