-- The next jobs of the batch $1 behind $2 that exist, at most $3.
SELECT m.id, m.batch_id, m.reference, m.role
FROM longshore.member AS m
WHERE m.batch_id = $1
  AND m.id > $2
  AND EXISTS (SELECT FROM longshore.job AS j WHERE j.id = m.id)
ORDER BY m.id
LIMIT $3
