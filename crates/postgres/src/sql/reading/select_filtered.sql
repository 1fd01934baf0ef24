-- What a filter reads of jobs, oldest first.
SELECT j.id, at.status, j.job_type, j.queue, s.failure_type, at.reason
FROM longshore.job AS j
CROSS JOIN LATERAL (
    SELECT 'pending' AS status, r.has_story, NULL::text AS reason
    FROM longshore.ready AS r
    WHERE r.job_type = j.job_type
      AND r.queue = j.queue
      AND r.rank = -GREATEST(j.priority, -2147483647)
      AND r.again IN (false, true)
      AND r.id = j.id
    UNION ALL
    SELECT CASE WHEN is_retry THEN 'retrying' ELSE 'pending' END, has_story, NULL
    FROM longshore.later
    WHERE id = j.id
    UNION ALL
    SELECT 'blocked', has_story, NULL
    FROM longshore.blocked
    WHERE id = j.id
    UNION ALL
    SELECT 'running', has_story, NULL
    FROM longshore.running
    WHERE id = j.id
    UNION ALL
    SELECT CASE status WHEN 1 THEN 'completed' WHEN 2 THEN 'cancelled' ELSE 'dead_letter' END, has_story, reason
    FROM longshore.ended
    WHERE id = j.id
    LIMIT 1
) AS at
LEFT JOIN LATERAL (
    SELECT failure_type
    FROM longshore.story
    WHERE at.has_story
      AND id = j.id
    LIMIT 1
) AS s ON true
WHERE j.id = ANY($1)
ORDER BY j.id
