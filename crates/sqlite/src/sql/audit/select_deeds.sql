-- A filter looks only at the newest entries, so that it is bounded.
SELECT id, at, actor, via, action, target, ended_at, changed, error
FROM (SELECT * FROM job_audit ORDER BY id DESC LIMIT ?5)
WHERE id < ?1
  AND (?3 IS NULL OR actor = ?3)
  AND (?4 IS NULL OR action = ?4)
ORDER BY id DESC
LIMIT ?2
