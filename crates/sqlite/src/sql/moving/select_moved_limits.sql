-- The rules of every subject, and the types without one whose handlers were asked to slow down.
SELECT scope, name, configured, manual, arrival, closed_until
FROM job_limits
WHERE configured IS NOT NULL
   OR manual IS NOT NULL
   OR closed_until IS NOT NULL
