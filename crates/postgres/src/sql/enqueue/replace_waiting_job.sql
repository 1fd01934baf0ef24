-- Gives a waiting job the content of a new one with its unique key, and with $12 its time: the instant $13 or the delay
-- $14. Gives no row if the job is not where this statement saw it: it was claimed, ended or moved meanwhile.
WITH instant AS MATERIALIZED (SELECT longshore.now() AS now),
-- The time if it has not passed.
given AS MATERIALIZED (
    SELECT now,
           CASE
               WHEN $13::timestamptz > now THEN $13::timestamptz
               WHEN $14::bigint > 0 THEN now + $14::bigint * interval '1 millisecond'
           END AS run_at
    FROM instant
),
was AS MATERIALIZED (
    SELECT id, job_type, queue, priority
    FROM longshore.job
    WHERE id = $1
),
was_ready AS (
    DELETE FROM longshore.ready AS r
    -- Its whole key, by a subquery that stays one: otherwise both values of `again` may be a filter on the whole lane.
    USING (SELECT * FROM was CROSS JOIN (VALUES (false), (true)) AS turn (again) OFFSET 0) AS was
    WHERE r.job_type = was.job_type
      AND r.queue = was.queue
      AND r.rank = -GREATEST(was.priority, -2147483647)
      AND r.again = was.again
      AND r.id = was.id
    RETURNING r.queue, r.ready_at, r.has_story
),
was_later AS (
    DELETE FROM longshore.later
    WHERE id = $1
    RETURNING queue, due_at, is_retry, has_story
),
was_blocked AS (
    UPDATE longshore.blocked
    SET due_at = CASE WHEN $12::boolean THEN given.run_at ELSE due_at END,
        ready_at = CASE WHEN $12::boolean AND given.run_at IS NULL THEN given.now ELSE ready_at END
    FROM given
    WHERE id = $1
    RETURNING queue
),
moved AS MATERIALIZED (
    SELECT queue, 'pending' AS status, ready_at, NULL::timestamptz AS due_at, false AS is_retry, has_story FROM was_ready
    UNION ALL
    SELECT queue, CASE WHEN is_retry THEN 'retrying' ELSE 'pending' END, NULL, due_at, is_retry, has_story FROM was_later
    UNION ALL
    SELECT queue, 'blocked', NULL, NULL, false, NULL FROM was_blocked
),
body AS (
    UPDATE longshore.job
    SET job_type = $2,
        job_data = $3::text::json,
        priority = $4,
        max_retries = $5,
        max_crashes = $6,
        max_deferrals = $7,
        timeout_ms = $8,
        expires_at = given.now + $9::bigint * interval '1 millisecond',
        deadline_at = given.now + $10::bigint * interval '1 millisecond',
        metadata = $11::text::json,
        limit_key = $15::text,
        run_at = CASE WHEN $12::boolean THEN given.run_at ELSE job.run_at END
    FROM given, moved
    WHERE job.id = $1
),
-- Nothing of the old content is done.
forgotten AS (
    DELETE FROM longshore.checkpoint
    WHERE id = (SELECT $1 FROM moved LIMIT 1)
),
placed AS MATERIALIZED (
    SELECT moved.queue, moved.status, moved.is_retry, moved.has_story,
           CASE WHEN $12::boolean THEN given.run_at ELSE moved.due_at END AS due_at,
           CASE WHEN $12::boolean THEN given.now ELSE moved.ready_at END AS ready_at
    FROM moved, given
    WHERE moved.status <> 'blocked'
),
-- Its id may be lower than those that were claimed already.
readied AS (
    INSERT INTO longshore.ready (job_type, queue, rank, again, id, ready_at, has_story)
    SELECT $2, queue, -GREATEST($4, -2147483647), true, $1, ready_at, has_story
    FROM placed
    WHERE due_at IS NULL
),
delayed AS (
    INSERT INTO longshore.later (id, job_type, queue, due_at, is_retry, has_story)
    SELECT $1, $2, queue, due_at, is_retry, has_story
    FROM placed
    WHERE due_at IS NOT NULL
),
-- A retrying job without a time is a pending one.
counted AS (
    INSERT INTO longshore.change (queue, retrying, pending)
    SELECT queue, -1, 1
    FROM placed
    WHERE is_retry
      AND due_at IS NULL
)
SELECT queue
FROM moved
