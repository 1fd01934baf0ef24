-- The next batches before $1, newest first, at most $2.
SELECT id, name, created_at, closed_at, ended_at, members, completed, cancelled, dead_letter, callbacks
FROM longshore.batch
WHERE id < $1
ORDER BY id DESC
LIMIT $2
