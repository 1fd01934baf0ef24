SELECT id, job_type, started_at
FROM longshore.running
WHERE started_at <= $1
LIMIT $2
