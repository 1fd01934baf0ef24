SELECT 1
FROM job_schedules
WHERE waiting_at IS NOT NULL
LIMIT 1
