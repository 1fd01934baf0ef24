-- One step of a walk over the dead letters by id.
SELECT id, ended_at
FROM longshore.ended
WHERE id > $1
  AND id < $3
  AND status = 3
ORDER BY id
LIMIT $2
