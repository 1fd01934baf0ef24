-- Of the next $2 jobs behind $1, those that have a row in no table of a state become dead letters, because of $3: another
-- program made them, or a part of a back-up was restored. Those of the last hour may still get one. Gives the last id that
-- was looked at, and how many were found.
WITH RECURSIVE lane AS (
    (
        SELECT job_type, queue, rank, again
        FROM longshore.ready
        ORDER BY job_type, queue, rank, again
        LIMIT 1
    )
    UNION ALL
    SELECT next.*
    FROM lane
    CROSS JOIN LATERAL (
        SELECT r.job_type, r.queue, r.rank, r.again
        FROM longshore.ready AS r
        WHERE (r.job_type, r.queue, r.rank, r.again) > (lane.job_type, lane.queue, lane.rank, lane.again)
        ORDER BY r.job_type, r.queue, r.rank, r.again
        LIMIT 1
    ) AS next
),
page AS MATERIALIZED (
    SELECT id, job_type, queue, priority, created_at
    FROM longshore.job
    WHERE id > $1
    ORDER BY id
    LIMIT $2
),
candidate AS MATERIALIZED (
    SELECT p.id, p.queue
    FROM page AS p
    LEFT JOIN LATERAL (
        SELECT id FROM longshore.ended WHERE id = p.id
        UNION ALL
        SELECT id FROM longshore.later WHERE id = p.id
        UNION ALL
        SELECT id FROM longshore.running WHERE id = p.id
        UNION ALL
        SELECT id FROM longshore.blocked WHERE id = p.id
        UNION ALL
        SELECT r.id
        -- Its whole key: without statistics an IN of both values would be a filter on the whole lane.
        FROM (VALUES (false), (true)) AS turn (again)
        CROSS JOIN LATERAL (
            SELECT id
            FROM longshore.ready
            WHERE job_type = p.job_type
              AND queue = p.queue
              AND rank = -GREATEST(p.priority, -2147483647)
              AND again = turn.again
              AND id = p.id
            LIMIT 1
        ) AS r
        LIMIT 1
    ) AS state ON true
    WHERE state.id IS NULL
      AND p.created_at < longshore.now() - interval '1 hour'
),
-- A ready row may be in a place that its body does not name. Then it is claimed all the same.
stateless AS MATERIALIZED (
    SELECT c.id, c.queue
    FROM candidate AS c
    WHERE NOT EXISTS (
        SELECT
        FROM lane
        CROSS JOIN LATERAL (
            SELECT
            FROM longshore.ready AS r
            WHERE r.job_type = lane.job_type
              AND r.queue = lane.queue
              AND r.rank = lane.rank
              AND r.again = lane.again
              AND r.id = c.id
            LIMIT 1
        ) AS found
    )
),
instant AS MATERIALIZED (SELECT longshore.now() AS now),
buried AS (
    INSERT INTO longshore.ended (id, status, queue, ended_at, has_story, reason)
    SELECT s.id, 3, s.queue, i.now,
           CASE WHEN EXISTS (SELECT FROM longshore.story AS known WHERE known.id = s.id) THEN true END, $3
    FROM stateless AS s
    CROSS JOIN instant AS i
    ON CONFLICT (id) DO NOTHING
    RETURNING id, queue
),
unkeyed AS (
    DELETE FROM longshore.unique_key
    WHERE id = ANY (ARRAY(SELECT s.id FROM stateless AS s))
),
-- Whoever looks gives them up.
children AS (
    INSERT INTO longshore.blocked_unchecked (id)
    SELECT b.id
    FROM longshore.blocked AS b
    WHERE b.parent_job_id = ANY (ARRAY(SELECT s.id FROM stateless AS s))
),
counted AS (
    INSERT INTO longshore.change (queue, dead_letter, minute, minute_failed)
    SELECT b.queue, count(*), date_trunc('minute', i.now), count(*)
    FROM buried AS b
    CROSS JOIN instant AS i
    GROUP BY b.queue, i.now
)
SELECT (SELECT max(id) FROM page), (SELECT count(*) FROM page), (SELECT count(*) FROM buried)
