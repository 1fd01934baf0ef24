SELECT name
FROM job_schedules
WHERE source = ?1
ORDER BY name
