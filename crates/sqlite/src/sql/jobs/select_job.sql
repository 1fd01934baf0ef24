SELECT id, job_type, job_data, status, priority, created_at, started_at, completed_at, log_file_path, error_message,
       retry_count, COALESCE(
           max_retries,
           (SELECT settings.max_retries FROM job_type_settings AS settings WHERE settings.job_type = job_queue.job_type), 15
       ), worker_id, timeout_seconds, parent_job_id, failure_type, next_retry_at,
       last_error_traceback, dead_letter_reason, moved_to_dead_letter_at, queue,
       COALESCE(run_at, ready_at, created_at), claim_number, crash_count, max_crashes, deferral_count,
       max_deferrals, unique_key, cancel_requested_at, progress, progress_message, result, metadata,
       expires_at, deadline_at, limit_key
FROM job_queue
WHERE id = ?1
