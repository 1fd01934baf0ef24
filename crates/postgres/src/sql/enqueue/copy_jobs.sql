COPY longshore.job (
    id, job_type, queue, priority, job_data, created_at, run_at, max_retries, max_crashes, max_deferrals, timeout_ms,
    expires_at, deadline_at, metadata
) FROM STDIN (FORMAT binary)
