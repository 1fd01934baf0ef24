UPDATE job_queues
SET paused_at = NULL
WHERE queue = ?1
