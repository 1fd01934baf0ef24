-- The jobs from $1 to before $2 that are not over: those that have not ended, dead letters, and completed and cancelled
-- jobs that ended at $3 or later. At most $4. Ready jobs have no index by id, so each lane is asked.
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
SELECT found.id
FROM lane
CROSS JOIN LATERAL (
    SELECT r.id
    FROM longshore.ready AS r
    WHERE r.job_type = lane.job_type
      AND r.queue = lane.queue
      AND r.rank = lane.rank
      AND r.again = lane.again
      AND r.id >= $1
      AND r.id < $2
    LIMIT $4
) AS found
UNION ALL
(SELECT id FROM longshore.later WHERE id >= $1 AND id < $2 LIMIT $4)
UNION ALL
(SELECT id FROM longshore.blocked WHERE id >= $1 AND id < $2 LIMIT $4)
UNION ALL
(SELECT id FROM longshore.running WHERE id >= $1 AND id < $2 LIMIT $4)
UNION ALL
(
    SELECT id
    FROM longshore.ended
    WHERE id >= $1
      AND id < $2
      AND (status = 3 OR ended_at >= $3)
    LIMIT $4
)
LIMIT $4
