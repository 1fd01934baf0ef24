SELECT value
FROM longshore.checkpoint
WHERE id = $1
  AND step = $2
