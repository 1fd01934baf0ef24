SELECT job_type, queue, priority, max_retries, timeout_ms
FROM longshore.type_settings
ORDER BY job_type COLLATE "C"
