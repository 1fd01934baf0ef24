-- A filter looks only at so many entries, so that it is bounded.
SELECT id, at, actor, via, action, target, ended_at, changed, error
FROM (SELECT * FROM job_audit WHERE id < ?1 ORDER BY id DESC LIMIT ?5)
WHERE (?3 IS NULL OR actor = ?3)
  AND (?4 IS NULL OR action = ?4)
ORDER BY id DESC
LIMIT ?2
