-- After the rows of the states are locked, because who changes a body holds that lock.
SELECT j.id, j.job_type, j.queue, j.priority, j.unique_key, j.parent_job_id, j.expires_at, j.deadline_at,
       s.failure_type, COALESCE(s.retry_count, 0)
FROM longshore.job AS j
LEFT JOIN LATERAL (
    SELECT failure_type, retry_count
    FROM longshore.story
    WHERE id = j.id
    LIMIT 1
) AS s ON true
WHERE j.id = ANY($1)
ORDER BY j.id
