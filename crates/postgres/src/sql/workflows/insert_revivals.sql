-- Jobs that were given up because of one of the jobs $1 come back with it.
INSERT INTO longshore.unsettled (kind, target_id)
SELECT 'job_revives', u.id
FROM unnest($1::bigint[]) AS u (id)
WHERE EXISTS (SELECT FROM longshore.dependency AS d WHERE d.target_id = u.id AND d.kind = 'job')
