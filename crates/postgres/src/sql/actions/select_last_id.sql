SELECT id
FROM longshore.job
ORDER BY id DESC
LIMIT 1
