-- Those that are due already come first. The limit counts retrying jobs, too, because the index does not know which ones
-- are pending.
SELECT queue, is_retry, due_at
FROM longshore.later
ORDER BY due_at, id
LIMIT $1
