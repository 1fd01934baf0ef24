-- A filter looks only at so many entries, so that it is bounded.
SELECT id, at, actor, via, action, target, ended_at, changed, error
FROM (SELECT * FROM longshore.audit WHERE id < $1 ORDER BY id DESC LIMIT $5) AS newest
WHERE ($3::text IS NULL OR actor = $3)
  AND ($4::text IS NULL OR action = $4)
ORDER BY id DESC
LIMIT $2
