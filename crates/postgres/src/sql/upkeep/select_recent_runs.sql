-- The completed ones of these types among the newest jobs, newest first. No index contains them, so their number is
-- bounded.
SELECT j.job_type, e.started_at, e.ended_at
FROM (
    SELECT id, started_at, ended_at
    FROM longshore.ended
    WHERE status = 1
    ORDER BY id DESC
    LIMIT $1
) AS e
CROSS JOIN LATERAL (
    SELECT job_type
    FROM longshore.job
    WHERE id = e.id
    LIMIT 1
) AS j
WHERE e.started_at IS NOT NULL
  AND j.job_type = ANY($2)
ORDER BY e.id DESC
