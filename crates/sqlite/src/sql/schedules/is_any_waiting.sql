SELECT 1
FROM job_schedules
WHERE waiting IS NOT NULL
LIMIT 1
