-- The same as insert_job followed by claim_jobs, for a ready job.
INSERT INTO job_queue (
    job_type, job_data, status, priority, created_at, started_at, max_retries, worker_id, timeout_seconds, queue,
    claim_number, max_crashes, max_deferrals, unique_key, metadata, expires_at, deadline_at
)
VALUES (?1, ?2, 'running', ?3, ?4, ?4, ?5, ?6, ?7, ?8, 1, ?9, ?10, ?11, ?12, ?13, ?14)
