SELECT queue
FROM job_queues
WHERE paused_at IS NOT NULL
ORDER BY queue
