-- Waits for whoever sorts the jobs of a type: what it knows of the rule is old.
SELECT pg_advisory_xact_lock(hashtextextended('longshore.' || $1::text, 7))
