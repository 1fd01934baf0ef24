-- The rules of all subjects, queues first, and the types without one whose handlers were asked to slow down.
SELECT scope, name, configured, manual, arrival, closed_until
FROM longshore.job_limit
WHERE configured IS NOT NULL
   OR manual IS NOT NULL
   OR closed_until IS NOT NULL
ORDER BY scope, name COLLATE "C"
