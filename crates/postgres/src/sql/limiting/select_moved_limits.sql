-- The rules of all subjects, queues first.
SELECT scope, name, configured, manual
FROM longshore.job_limit
WHERE configured IS NOT NULL
   OR manual IS NOT NULL
ORDER BY scope, name COLLATE "C"
