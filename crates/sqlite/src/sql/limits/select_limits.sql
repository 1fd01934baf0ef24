SELECT number, scope, name, configured, manual, revision, key_revision
FROM job_limits
ORDER BY number
