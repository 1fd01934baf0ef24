-- The overdue jobs among the first ones of a lane: where there is one, there are often many.
SELECT r.id, j.expires_at, j.deadline_at
FROM (
    SELECT r.id
    FROM longshore.ready r
    WHERE r.job_type = $1
      AND r.queue = $2
      AND r.rank = $3
      AND r.again = $4
    ORDER BY r.id
    LIMIT $5
) r
CROSS JOIN LATERAL (
    SELECT j.expires_at, j.deadline_at
    FROM longshore.job j
    WHERE j.id = r.id
    LIMIT 1
) j
WHERE LEAST(j.expires_at, j.deadline_at) <= longshore.now()
