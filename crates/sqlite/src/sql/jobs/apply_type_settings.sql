-- A row that no trigger has looked at may have no queue and no priority at all.
UPDATE job_queue
SET queue = COALESCE(
        CASE WHEN awaits_settings & 1 THEN settings.queue END, job_queue.queue, settings.queue, 'default'
    ),
    priority = COALESCE(
        CASE WHEN awaits_settings & 2 THEN settings.priority END, job_queue.priority, settings.priority, 5
    ),
    max_retries = COALESCE(job_queue.max_retries, settings.max_retries),
    timeout_seconds = COALESCE(job_queue.timeout_seconds, settings.timeout_seconds),
    awaits_settings = NULL
FROM job_type_settings AS settings
WHERE job_queue.id = ?1
  AND settings.job_type = job_queue.job_type
  AND status IN ('pending', 'retrying', 'blocked')
