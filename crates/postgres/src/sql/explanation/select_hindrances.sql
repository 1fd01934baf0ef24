-- Since when the queue of a job is paused, and whether it awaits the settings of its type.
SELECT p.paused_at, j.awaits_settings IS NOT NULL
FROM longshore.job AS j
LEFT JOIN longshore.queue_pause AS p ON p.queue = j.queue
WHERE j.id = $1
