-- A registration that changes nothing writes nothing.
INSERT INTO job_type_settings (job_type, queue, priority, max_retries, timeout_seconds)
VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (job_type) DO UPDATE
SET queue = excluded.queue,
    priority = excluded.priority,
    max_retries = excluded.max_retries,
    timeout_seconds = excluded.timeout_seconds
WHERE (job_type_settings.queue, job_type_settings.priority, job_type_settings.max_retries, job_type_settings.timeout_seconds)
    IS NOT (excluded.queue, excluded.priority, excluded.max_retries, excluded.timeout_seconds)
