DELETE FROM job_audit
WHERE id IN (SELECT id FROM job_audit ORDER BY id LIMIT ?2)
  AND at < ?1
