DELETE FROM job_minutes
WHERE minute < ?1
