-- Rows of states without a job: nobody can run them, show them or remove them, and ready ones at the front of a lane keep
-- the jobs behind them from being claimed. Looks at the first rows of each lane, at those that are due next, and of the
-- other tables at the next $2 ids behind $1. Gives the last of these ids, how many there were, and how many rows went.
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
lost_ready AS MATERIALIZED (
    SELECT lane.job_type, lane.queue, lane.rank, lane.again, first.id
    FROM lane
    CROSS JOIN LATERAL (
        SELECT r.id
        FROM longshore.ready AS r
        WHERE r.job_type = lane.job_type
          AND r.queue = lane.queue
          AND r.rank = lane.rank
          AND r.again = lane.again
        ORDER BY r.id
        LIMIT 100
    ) AS first
    WHERE NOT EXISTS (SELECT FROM longshore.job AS j WHERE j.id = first.id)
),
page AS MATERIALIZED (
    SELECT id
    FROM longshore.ended
    WHERE id > $1
    ORDER BY id
    LIMIT $2
),
last AS MATERIALIZED (
    SELECT CASE WHEN count(*) = $2 THEN max(id) ELSE 9223372036854775807 END AS id
    FROM page
),
lost AS MATERIALIZED (
    SELECT found.id
    FROM (
        SELECT id FROM page
        UNION ALL
        (SELECT id FROM longshore.blocked WHERE id > $1 AND id <= (SELECT last.id FROM last) ORDER BY id LIMIT $2)
        UNION ALL
        (SELECT id FROM longshore.running WHERE id > $1 AND id <= (SELECT last.id FROM last) ORDER BY id LIMIT $2)
        UNION ALL
        (SELECT id FROM longshore.later ORDER BY due_at, id LIMIT 200)
    ) AS found
    WHERE NOT EXISTS (SELECT FROM longshore.job AS j WHERE j.id = found.id)
),
gone_ready AS (
    DELETE FROM longshore.ready AS r
    USING lost_ready AS l
    WHERE r.job_type = l.job_type
      AND r.queue = l.queue
      AND r.rank = l.rank
      AND r.again = l.again
      AND r.id = l.id
    RETURNING r.queue
),
gone_later AS (
    DELETE FROM longshore.later
    WHERE id = ANY (ARRAY(SELECT lost.id FROM lost))
    RETURNING queue, is_retry
),
gone_blocked AS (
    DELETE FROM longshore.blocked
    WHERE id = ANY (ARRAY(SELECT lost.id FROM lost))
    RETURNING queue
),
gone_running AS (
    DELETE FROM longshore.running
    WHERE id = ANY (ARRAY(SELECT lost.id FROM lost))
    RETURNING queue
),
gone_ended AS (
    DELETE FROM longshore.ended
    WHERE id = ANY (ARRAY(SELECT lost.id FROM lost))
    RETURNING queue, status
),
gone AS MATERIALIZED (
    SELECT queue, 'pending' AS was FROM gone_ready
    UNION ALL
    SELECT queue, CASE WHEN is_retry THEN 'retrying' ELSE 'pending' END FROM gone_later
    UNION ALL
    SELECT queue, 'blocked' FROM gone_blocked
    UNION ALL
    SELECT queue, 'running' FROM gone_running
    UNION ALL
    SELECT queue, (ARRAY['completed', 'cancelled', 'dead_letter'])[status] FROM gone_ended
),
unkeyed AS (
    DELETE FROM longshore.unique_key
    WHERE id = ANY (ARRAY(SELECT lost.id FROM lost UNION ALL SELECT l.id FROM lost_ready AS l))
),
counted AS (
    INSERT INTO longshore.change (queue, pending, running, retrying, blocked, completed, cancelled, dead_letter)
    SELECT queue,
           NULLIF(-count(*) FILTER (WHERE was = 'pending'), 0),
           NULLIF(-count(*) FILTER (WHERE was = 'running'), 0),
           NULLIF(-count(*) FILTER (WHERE was = 'retrying'), 0),
           NULLIF(-count(*) FILTER (WHERE was = 'blocked'), 0),
           NULLIF(-count(*) FILTER (WHERE was = 'completed'), 0),
           NULLIF(-count(*) FILTER (WHERE was = 'cancelled'), 0),
           NULLIF(-count(*) FILTER (WHERE was = 'dead_letter'), 0)
    FROM gone
    GROUP BY queue
)
SELECT (SELECT max(id) FROM page), (SELECT count(*) FROM page), (SELECT count(*) FROM gone)
