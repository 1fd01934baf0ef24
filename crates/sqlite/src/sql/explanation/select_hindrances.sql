-- Since when the queue of a job is paused, and whether it awaits the settings of its type.
SELECT q.paused_at, j.awaits_settings IS NOT NULL
FROM job_queue AS j
LEFT JOIN job_queues AS q ON q.queue = j.queue
WHERE j.id = ?1
