DELETE FROM job_limits
WHERE scope = 'queue'
  AND name = ?1
