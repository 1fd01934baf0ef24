-- A waiting job ends as $2, because of $3: its expiry or deadline has passed. It waits in one of three tables. Gives no row
-- if it moved on meanwhile.
WITH instant AS MATERIALIZED (SELECT longshore.now() AS now),
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
    DELETE FROM longshore.blocked
    WHERE id = $1
    RETURNING queue, COALESCE(due_at, ready_at) AS ready_at, has_story
),
moved AS MATERIALIZED (
    SELECT queue, ready_at, has_story, 1 AS pending, NULL::integer AS retrying, NULL::integer AS blocked FROM was_ready
    UNION ALL
    SELECT queue, due_at, has_story, CASE WHEN NOT is_retry THEN 1 END, CASE WHEN is_retry THEN 1 END, NULL FROM was_later
    UNION ALL
    SELECT queue, ready_at, has_story, NULL, NULL, 1 FROM was_blocked
),
kept AS (
    INSERT INTO longshore.ended (id, status, queue, ended_at, ready_at, has_story, reason)
    SELECT $1, $2, queue, now, ready_at, has_story, $3
    FROM moved, instant
),
unkeyed AS (
    DELETE FROM longshore.unique_key
    USING moved
    WHERE id = $1
),
counted AS (
    INSERT INTO longshore.change (
        queue, pending, retrying, blocked, cancelled, dead_letter, minute, minute_failed, minute_cancelled
    )
    SELECT queue, -pending, -retrying, -blocked, CASE WHEN $2 = 2 THEN 1 END, CASE WHEN $2 = 3 THEN 1 END,
           date_trunc('minute', now), CASE WHEN $2 = 3 THEN 1 END, CASE WHEN $2 = 2 THEN 1 END
    FROM moved, instant
)
SELECT now
FROM moved, instant
