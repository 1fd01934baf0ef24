-- The jobs of type ?1 in queue ?2 that a claim takes before job ?4 with priority ?3, at most ?5. Each part is one range of
-- the claim index and ends with its limit.
SELECT count(*)
FROM (
    SELECT *
    FROM (
        SELECT 1
        FROM job_queue INDEXED BY job_queue_ready
        WHERE job_type = ?1
          AND queue = ?2
          AND status = 'pending'
          AND run_at IS NULL
          AND lane IS NULL
          AND priority > ?3
        LIMIT ?5
    )
    UNION ALL
    SELECT *
    FROM (
        SELECT 1
        FROM job_queue INDEXED BY job_queue_ready
        WHERE job_type = ?1
          AND queue = ?2
          AND status = 'pending'
          AND run_at IS NULL
          AND lane IS NULL
          AND priority = ?3
          AND id < ?4
        LIMIT ?5
    )
    LIMIT ?5
)
