-- Locks the rows of the states of jobs, by id in each table. A job that moved while this waited is not found, so that the
-- caller looks again. FOR UPDATE in a subquery keeps each look-up in `ready` an index scan for each job.
WITH pending AS (
    SELECT r.id, r.place, r.again, r.ready_at, r.has_story
    FROM (
        -- Its whole key: without statistics an IN of both values would be a filter on the whole lane.
        SELECT job.id, job.job_type, job.queue, job.priority, turn.again
        FROM longshore.job
        CROSS JOIN (VALUES (false), (true)) AS turn (again)
        WHERE job.id = ANY($1)
        ORDER BY job.id
    ) AS j
    CROSS JOIN LATERAL (
        SELECT id, CASE WHEN tableoid = 'longshore.laned'::regclass THEN 'lane' ELSE '' END || ctid::text AS place, again,
               ready_at, has_story
        FROM longshore.ready
        WHERE job_type = j.job_type
          AND queue = j.queue
          AND rank = -GREATEST(j.priority, -2147483647)
          AND again = j.again
          AND id = j.id
        FOR UPDATE
    ) AS r
),
later AS (
    SELECT id, is_retry, due_at, has_story
    FROM longshore.later
    WHERE id = ANY($1)
    ORDER BY id
    FOR UPDATE
),
blocked AS (
    SELECT id, due_at, ready_at, has_story, unmet
    FROM longshore.blocked
    WHERE id = ANY($1)
    ORDER BY id
    FOR UPDATE
),
running AS (
    SELECT id, ready_at, has_story, started_at, claim_number, worker, cancel_requested_at
    FROM longshore.running
    WHERE id = ANY($1)
    ORDER BY id
    FOR UPDATE
),
ended AS (
    SELECT id, status, ready_at, has_story, started_at, ended_at, claim_number, worker, cancel_requested_at, reason
    FROM longshore.ended
    WHERE id = ANY($1)
    ORDER BY id
    FOR UPDATE
)
SELECT id, 'pending' AS status, place, again, ready_at, NULL::timestamptz AS due_at, has_story,
       NULL::timestamptz AS started_at, NULL::timestamptz AS ended_at, NULL::bigint AS claim_number,
       NULL::integer AS worker, NULL::timestamptz AS cancel_requested_at, NULL::text AS reason, NULL::integer AS unmet
FROM pending
UNION ALL
SELECT id, CASE WHEN is_retry THEN 'retrying' ELSE 'pending' END, NULL, NULL, NULL, due_at, has_story, NULL, NULL, NULL,
       NULL, NULL, NULL, NULL
FROM later
UNION ALL
SELECT id, 'blocked', NULL, NULL, ready_at, due_at, has_story, NULL, NULL, NULL, NULL, NULL, NULL, unmet
FROM blocked
UNION ALL
SELECT id, 'running', NULL, NULL, ready_at, NULL, has_story, started_at, NULL, claim_number, worker,
       cancel_requested_at, NULL, NULL
FROM running
UNION ALL
SELECT id, CASE status WHEN 1 THEN 'completed' WHEN 2 THEN 'cancelled' ELSE 'dead_letter' END, NULL, NULL, ready_at,
       NULL, has_story, started_at, ended_at, claim_number, worker, cancel_requested_at, reason, NULL
FROM ended
