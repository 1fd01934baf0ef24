SELECT id
FROM longshore.batch
WHERE id = $1
