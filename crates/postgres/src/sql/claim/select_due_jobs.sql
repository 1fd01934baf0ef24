-- The jobs that the next promotion takes, $1 at most.
SELECT l.id
FROM longshore.later l
WHERE l.due_at <= longshore.now()
ORDER BY l.due_at, l.id
LIMIT $1
