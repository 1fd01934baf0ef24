SELECT queue, status, jobs
FROM job_depths
ORDER BY queue, status
