-- Since when the queue of a job is paused, whether it awaits the settings of its type, and its names as they are stored.
SELECT q.paused_at, j.awaits_settings IS NOT NULL, j.queue, j.job_type
FROM job_queue AS j
LEFT JOIN job_queues AS q ON q.queue = j.queue
WHERE j.id = ?1
