DELETE FROM job_schedules
WHERE name = ?1
