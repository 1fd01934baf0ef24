-- The next members of the batch $1 before $2, newest first, at most $3.
SELECT id
FROM longshore.member
WHERE batch_id = $1
  AND id < $2
  AND role = 'member'
ORDER BY id DESC
LIMIT $3
