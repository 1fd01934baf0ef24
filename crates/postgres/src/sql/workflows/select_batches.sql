-- The batches $1 as they are.
SELECT id, name, created_at, closed_at, ended_at, members, completed, cancelled, dead_letter, callbacks
FROM longshore.batch
WHERE id = ANY($1)
ORDER BY id DESC
