-- Those of the jobs $1 that waited for others.
SELECT u.id
FROM unnest($1::bigint[]) AS u (id)
WHERE EXISTS (SELECT FROM longshore.dependency AS d WHERE d.id = u.id)
