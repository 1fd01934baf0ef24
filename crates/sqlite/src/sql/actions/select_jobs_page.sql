-- Newest first by keyset, down to the end of the look. A NULL list sets no condition. A single status may have an index.
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
WHERE /* narrowed */ id < ?1
  AND id >= ?8
  AND (?2 IS NULL OR status IN (SELECT value FROM json_each(?2)))
  AND (?3 IS NULL OR job_type IN (SELECT value FROM json_each(?3)))
  AND (?4 IS NULL OR queue IN (SELECT value FROM json_each(?4)))
  AND (?5 IS NULL OR failure_type IN (SELECT value FROM json_each(?5)))
  AND (?7 IS NULL OR EXISTS (
      SELECT 1 FROM json_each(?7) WHERE substr(dead_letter_reason, 1, length(value)) = value
  ))
ORDER BY id DESC
LIMIT ?6
