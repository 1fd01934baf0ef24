SELECT number, configured, manual, key_paths
FROM job_limits
WHERE scope = ?1
  AND name = ?2
