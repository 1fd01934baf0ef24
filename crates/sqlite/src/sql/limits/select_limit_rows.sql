SELECT number, scope, name, configured, manual, arrival, closed_until
FROM job_limits
WHERE (?1 IS NULL OR scope = ?1)
  AND (?2 IS NULL OR name = ?2)
