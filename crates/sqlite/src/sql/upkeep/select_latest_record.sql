-- The latest recorded time of the newest jobs and of the workers, because no index contains the times.
SELECT max(latest)
FROM (
    SELECT max(max(created_at, COALESCE(started_at, 0), COALESCE(completed_at, 0))) AS latest
    FROM (
        SELECT created_at, started_at, completed_at
        FROM job_queue
        ORDER BY id DESC
        LIMIT ?1
    )
    UNION ALL
    SELECT max(heartbeat_at)
    FROM job_workers
)
