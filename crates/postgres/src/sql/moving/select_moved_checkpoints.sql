SELECT c.id, c.step, c.attempt, c.saved_at, c.value
FROM longshore.checkpoint AS c
WHERE c.id = ANY($1)
ORDER BY c.id, c.step
