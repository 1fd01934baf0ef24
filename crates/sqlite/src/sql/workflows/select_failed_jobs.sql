SELECT DISTINCT job_id
FROM job_waits INDEXED BY job_waits_failed
WHERE kind = ?1
  AND target_id = ?2
  AND signal = ?3
  AND state = 'failed'
  AND job_id > ?4
ORDER BY job_id
LIMIT ?5
