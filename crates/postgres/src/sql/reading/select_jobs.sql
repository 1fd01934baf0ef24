-- Jobs with all that is known of them, newest first. LIMIT 1 keeps each look-up an index scan for each job, whatever the
-- planner believes about the sizes of the tables. Most jobs have ended, so that is looked up first, and a ready row last,
-- because it takes the most.
SELECT j.id, j.job_type, j.job_data::text, at.status, j.priority, j.created_at,
       COALESCE(at.started_at, s.started_at), at.ended_at, j.log_file_path, s.error_message,
       COALESCE(s.retry_count, 0), COALESCE(j.max_retries, t.max_retries), w.worker_id, j.timeout_ms,
       parent.id, s.failure_type, CASE at.status WHEN 'retrying' THEN at.ready_at END, s.last_error_traceback, at.reason,
       CASE at.status WHEN 'dead_letter' THEN at.ended_at END, j.queue,
       COALESCE(at.ready_at, j.run_at, j.created_at), COALESCE(at.claim_number, s.claim_number, 0),
       COALESCE(s.crash_count, 0), j.max_crashes, COALESCE(s.deferral_count, 0), j.max_deferrals, j.unique_key,
       j.limit_key, at.cancel_requested_at,
       -- A claim leaves the progress of the attempt before in place.
       CASE WHEN s.claim_number = COALESCE(at.claim_number, s.claim_number) THEN s.progress END,
       CASE WHEN s.claim_number = COALESCE(at.claim_number, s.claim_number) THEN s.progress_message END,
       at.result::text, j.metadata::text, j.expires_at, j.deadline_at
FROM longshore.job AS j
CROSS JOIN LATERAL (
    SELECT CASE e.status WHEN 1 THEN 'completed' WHEN 2 THEN 'cancelled' ELSE 'dead_letter' END AS status, e.ready_at,
           e.started_at, e.ended_at, e.claim_number, e.worker, e.has_story, e.cancel_requested_at, e.result, e.reason
    FROM longshore.ended AS e
    WHERE e.id = j.id
    UNION ALL
    SELECT CASE WHEN l.is_retry THEN 'retrying' ELSE 'pending' END, l.due_at, NULL, NULL, NULL, NULL, l.has_story, NULL,
           NULL, NULL
    FROM longshore.later AS l
    WHERE l.id = j.id
    UNION ALL
    SELECT 'blocked', COALESCE(b.due_at, b.ready_at), NULL, NULL, NULL, NULL, b.has_story, NULL, NULL, NULL
    FROM longshore.blocked AS b
    WHERE b.id = j.id
    UNION ALL
    SELECT 'running', r.ready_at, r.started_at, NULL, r.claim_number, r.worker, r.has_story, r.cancel_requested_at, NULL,
           NULL
    FROM longshore.running AS r
    WHERE r.id = j.id
    UNION ALL
    SELECT 'pending', r.ready_at, NULL, NULL, NULL, NULL, r.has_story, NULL, NULL, NULL
    -- Its whole key: without statistics an IN of both values would be a filter on the whole lane.
    FROM (VALUES (false), (true)) AS turn (again)
    CROSS JOIN LATERAL (
        SELECT ready_at, has_story
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
    SELECT *
    FROM longshore.story
    WHERE at.has_story
      AND id = j.id
    LIMIT 1
) AS s ON true
LEFT JOIN LATERAL (
    SELECT worker_id
    FROM longshore.worker_name
    WHERE worker = COALESCE(at.worker, s.worker)
    LIMIT 1
) AS w ON true
-- A removed job is no parent any more: so its children need not be changed when it is removed.
LEFT JOIN LATERAL (
    SELECT id
    FROM longshore.job
    WHERE id = j.parent_job_id
    LIMIT 1
) AS parent ON true
LEFT JOIN LATERAL (
    SELECT max_retries
    FROM longshore.type_settings
    WHERE job_type = j.job_type
    LIMIT 1
) AS t ON true
WHERE j.id = ANY($1)
ORDER BY j.id DESC
