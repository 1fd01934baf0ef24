-- What a filter reads of jobs, oldest first. Most jobs have ended, so that is looked up first, and a ready row last,
-- because it takes the most.
SELECT j.id, at.status, j.job_type, j.queue, s.failure_type, at.reason
FROM longshore.job AS j
CROSS JOIN LATERAL (
    SELECT CASE status WHEN 1 THEN 'completed' WHEN 2 THEN 'cancelled' ELSE 'dead_letter' END AS status, has_story, reason
    FROM longshore.ended
    WHERE id = j.id
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
    SELECT 'pending', r.has_story, NULL
    -- Its whole key: without statistics an IN of both values would be a filter on the whole lane.
    FROM (VALUES (false), (true)) AS turn (again)
    CROSS JOIN LATERAL (
        SELECT has_story
        FROM longshore.ready
        WHERE job_type = j.job_type
          AND queue = j.queue
          AND rank = -GREATEST(j.priority, -2147483647)
          AND again = turn.again
          AND id = j.id
        LIMIT 1
    ) AS r
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
