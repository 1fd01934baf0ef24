-- Where a job stands among the limits.
SELECT job.job_type, own.limit_key
FROM job_queue AS job
LEFT JOIN job_lanes AS own ON own.id = job.lane
WHERE job.id = ?1
