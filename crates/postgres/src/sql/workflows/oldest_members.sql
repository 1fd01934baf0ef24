-- The next members of the batch $1 behind $2, at most $3.
SELECT id
FROM longshore.member
WHERE batch_id = $1
  AND id > $2
  AND role = 'member'
ORDER BY id
LIMIT $3
