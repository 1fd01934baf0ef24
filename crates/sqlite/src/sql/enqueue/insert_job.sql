INSERT INTO job_queue (
    job_type, job_data, status, priority, created_at, completed_at, max_retries, timeout_seconds, parent_job_id,
    dead_letter_reason, moved_to_dead_letter_at, queue, run_at, max_crashes, max_deferrals, unique_key, metadata,
    expires_at, deadline_at, awaits_settings, limit_key
)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?6, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, NULL, ?19)
