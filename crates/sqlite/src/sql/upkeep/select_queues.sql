SELECT queue, paused_at
FROM job_queues
ORDER BY queue
