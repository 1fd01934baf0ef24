-- Ready rows without a job among the first of their lane, a tenth of $1, and jobs without a state among the newest $1. At
-- most $2.
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
)
(
    SELECT first.id
    FROM lane
    CROSS JOIN LATERAL (
        SELECT r.id
        FROM longshore.ready AS r
        WHERE r.job_type = lane.job_type
          AND r.queue = lane.queue
          AND r.rank = lane.rank
          AND r.again = lane.again
        ORDER BY r.id
        LIMIT $1 / 10
    ) AS first
    WHERE NOT EXISTS (SELECT FROM longshore.job AS j WHERE j.id = first.id)
    LIMIT $2
)
UNION
(
    SELECT p.id
    FROM (SELECT id, job_type, queue, priority FROM longshore.job ORDER BY id DESC LIMIT $1) AS p
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
    LIMIT $2
)
ORDER BY id
