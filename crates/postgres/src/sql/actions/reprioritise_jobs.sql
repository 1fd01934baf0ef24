UPDATE longshore.job
SET priority = $2
WHERE id = ANY($1)
