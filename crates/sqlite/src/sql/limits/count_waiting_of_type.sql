-- Ready jobs of a type in lanes and in the claim index, counted up to a limit.
SELECT count(*)
FROM (
    SELECT *
    FROM (
        SELECT 1
        FROM job_queue INDEXED BY job_queue_lanes
        WHERE status = 'pending'
          AND lane > ?1
          AND lane < ?2
          AND run_at IS NULL
        LIMIT ?4
    )
    UNION ALL
    SELECT *
    FROM (
        SELECT 1
        FROM job_queue INDEXED BY job_queue_ready
        WHERE job_type = ?3
          AND status = 'pending'
          AND run_at IS NULL
          AND lane IS NULL
        LIMIT ?4
    )
    LIMIT ?4
)
