-- Those of the jobs $1 that do not exist.
SELECT u.id
FROM unnest($1::bigint[]) AS u (id)
WHERE NOT EXISTS (SELECT FROM longshore.job AS j WHERE j.id = u.id)
ORDER BY u.id
