-- What runs under a changed rule counts at once, so the next claim counts from the beginning.
INSERT INTO longshore.job_limit AS l (scope, name, configured, manual)
SELECT s.scope, s.name, s.configured, s.manual
FROM unnest($1::smallint[], $2::text[], $3::text[], $4::text[]) AS s (scope, name, configured, manual)
ON CONFLICT (scope, name) DO UPDATE
SET configured = excluded.configured,
    manual = excluded.manual,
    counted_from = 0
