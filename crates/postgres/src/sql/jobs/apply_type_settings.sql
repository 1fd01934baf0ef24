-- Gives these jobs the settings of their type where an INSERT left them out. A job that runs or has ended keeps what it
-- has. One that moves at the same time is left to the next step.
WITH awaiting AS MATERIALIZED (
    SELECT j.id, j.job_type, j.queue, j.priority,
           CASE WHEN j.awaits_settings & 1 = 1 THEN COALESCE(s.queue, j.queue) ELSE j.queue END AS new_queue,
           CASE WHEN j.awaits_settings & 2 = 2 THEN COALESCE(s.priority, j.priority) ELSE j.priority END AS new_priority,
           s.max_retries, s.timeout_ms
    FROM unnest($1::bigint[]) AS named (id)
    CROSS JOIN LATERAL (
        SELECT id, job_type, queue, priority, awaits_settings
        FROM longshore.job
        WHERE id = named.id
          AND awaits_settings IS NOT NULL
        LIMIT 1
    ) AS j
    JOIN longshore.type_settings AS s ON s.job_type = j.job_type
),
was_ready AS (
    DELETE FROM longshore.ready AS r
    -- Its whole key, by a subquery that stays one: otherwise both values of `again` may be a filter on the whole lane.
    USING (SELECT * FROM awaiting CROSS JOIN (VALUES (false), (true)) AS turn (again) OFFSET 0) AS a
    WHERE r.job_type = a.job_type
      AND r.queue = a.queue
      AND r.rank = -GREATEST(a.priority, -2147483647)
      AND r.again = a.again
      AND r.id = a.id
    RETURNING r.id, r.ready_at, r.has_story
),
was_later AS (
    UPDATE longshore.later AS l
    SET queue = a.new_queue
    FROM awaiting AS a
    WHERE l.id = ANY ($1::bigint[])
      AND l.id = a.id
    RETURNING l.id, l.is_retry
),
was_blocked AS (
    UPDATE longshore.blocked AS b
    SET queue = a.new_queue
    FROM awaiting AS a
    WHERE b.id = ANY ($1::bigint[])
      AND b.id = a.id
    RETURNING b.id
),
moved AS MATERIALIZED (
    SELECT id, 'pending' AS status FROM was_ready
    UNION ALL
    SELECT id, CASE WHEN is_retry THEN 'retrying' ELSE 'pending' END FROM was_later
    UNION ALL
    SELECT id, 'blocked' FROM was_blocked
),
settled AS (
    UPDATE longshore.job AS j
    SET queue = a.new_queue,
        priority = a.new_priority,
        max_retries = COALESCE(j.max_retries, a.max_retries),
        timeout_ms = COALESCE(j.timeout_ms, a.timeout_ms),
        awaits_settings = NULL
    FROM awaiting AS a
    JOIN moved USING (id)
    WHERE j.id = a.id
),
-- Another statement of the same snapshot, because a row can be updated once only.
kept AS (
    UPDATE longshore.job AS j
    SET awaits_settings = NULL
    FROM awaiting AS a
    WHERE j.id = a.id
      AND NOT EXISTS (SELECT FROM moved WHERE moved.id = a.id)
      AND (
          EXISTS (SELECT FROM longshore.running AS r WHERE r.id = a.id)
          OR EXISTS (SELECT FROM longshore.ended AS e WHERE e.id = a.id)
      )
),
-- Its id may be lower than those that were claimed in its new place already.
readied AS (
    INSERT INTO longshore.ready (job_type, queue, rank, again, id, ready_at, has_story)
    SELECT a.job_type, a.new_queue, -GREATEST(a.new_priority, -2147483647), true, a.id, r.ready_at, r.has_story
    FROM was_ready AS r
    JOIN awaiting AS a USING (id)
),
counted AS (
    INSERT INTO longshore.change (queue, pending, retrying, blocked)
    SELECT c.queue,
           NULLIF(sum(c.jobs) FILTER (WHERE c.status = 'pending'), 0),
           NULLIF(sum(c.jobs) FILTER (WHERE c.status = 'retrying'), 0),
           NULLIF(sum(c.jobs) FILTER (WHERE c.status = 'blocked'), 0)
    FROM (
        SELECT a.queue, m.status, -1 AS jobs
        FROM moved AS m
        JOIN awaiting AS a USING (id)
        WHERE a.queue <> a.new_queue
        UNION ALL
        SELECT a.new_queue, m.status, 1
        FROM moved AS m
        JOIN awaiting AS a USING (id)
        WHERE a.queue <> a.new_queue
    ) AS c
    GROUP BY c.queue
)
SELECT DISTINCT a.job_type, a.new_queue
FROM moved AS m
JOIN awaiting AS a USING (id)
