-- The ready jobs of a lane that come before one of this priority and id.
SELECT count(*)
FROM (
    SELECT *
    FROM (
        SELECT 1
        FROM job_queue INDEXED BY job_queue_lanes
        WHERE status = 'pending'
          AND lane = ?1
          AND run_at IS NULL
          AND priority > ?2
        LIMIT ?4
    )
    UNION ALL
    SELECT *
    FROM (
        SELECT 1
        FROM job_queue INDEXED BY job_queue_lanes
        WHERE status = 'pending'
          AND lane = ?1
          AND run_at IS NULL
          AND priority = ?2
          AND id < ?3
        LIMIT ?4
    )
    LIMIT ?4
)
