SELECT job_type, queue, priority, max_retries, timeout_seconds
FROM job_type_settings
ORDER BY job_type
