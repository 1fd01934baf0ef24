-- The completed ones of these types among the newest jobs, newest first. No index contains them, so their number is bounded.
SELECT job_type, started_at, completed_at
FROM (
    SELECT job_type, status, started_at, completed_at
    FROM job_queue
    ORDER BY id DESC
    LIMIT ?1
)
WHERE status = 'completed'
  AND typeof(started_at) = 'integer'
  AND typeof(completed_at) = 'integer'
  AND job_type IN (SELECT value FROM json_each(?2))
