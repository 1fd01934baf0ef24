SELECT EXISTS (
    SELECT 1
    FROM job_queues
    WHERE queue = ?1
      AND paused_at IS NOT NULL
)
