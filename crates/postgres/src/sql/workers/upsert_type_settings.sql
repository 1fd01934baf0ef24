-- A registration that changes nothing writes nothing.
INSERT INTO longshore.type_settings (job_type, queue, priority, max_retries, timeout_ms)
SELECT job_type, queue, priority, max_retries, timeout_ms
FROM unnest($1::text[], $2::text[], $3::integer[], $4::integer[], $5::bigint[])
    AS given (job_type, queue, priority, max_retries, timeout_ms)
ORDER BY job_type
ON CONFLICT (job_type) DO UPDATE
SET queue = excluded.queue,
    priority = excluded.priority,
    max_retries = excluded.max_retries,
    timeout_ms = excluded.timeout_ms
WHERE (type_settings.queue, type_settings.priority, type_settings.max_retries, type_settings.timeout_ms)
    IS DISTINCT FROM (excluded.queue, excluded.priority, excluded.max_retries, excluded.timeout_ms)
