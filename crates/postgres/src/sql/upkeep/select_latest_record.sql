-- The latest recorded time of the newest jobs and of the workers, because no index contains the times. Plain SQL may set
-- the creation of a job to infinity, which no clock has shown.
SELECT max(latest)
FROM (
    SELECT created_at AS latest
    FROM (SELECT created_at FROM longshore.job ORDER BY id DESC LIMIT $1) AS newest
    WHERE isfinite(created_at)
    UNION ALL
    SELECT GREATEST(ended_at, started_at)
    FROM (SELECT ended_at, started_at FROM longshore.ended ORDER BY id DESC LIMIT $1) AS newest
    UNION ALL
    SELECT started_at
    FROM (SELECT started_at FROM longshore.running ORDER BY id DESC LIMIT $1) AS newest
    UNION ALL
    SELECT heartbeat_at
    FROM longshore.worker
) AS records
