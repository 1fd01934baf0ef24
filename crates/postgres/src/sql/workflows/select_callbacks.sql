-- Those of the jobs $1 that are callbacks of the batch $2.
SELECT m.id
FROM longshore.member AS m
WHERE m.id = ANY($1)
  AND m.batch_id = $2
  AND m.role = 'callback'
