-- All that have not ended, dead letters, what a blocked job waits for, and on request the other ended ones. A parent that
-- stays behind is left out. Columns that any program may have left empty get their defaults.
SELECT id, job_type, job_data, status, COALESCE(priority, 5), created_at, started_at, completed_at, log_file_path,
       error_message, retry_count, 0, worker_id, timeout_seconds,
       CASE
           WHEN status = 'blocked' THEN parent_job_id
           WHEN parent_job_id IS NULL THEN NULL
           WHEN EXISTS (
               SELECT 1 FROM job_queue AS parent
               WHERE parent.id = moved.parent_job_id
                 AND (?2 OR parent.status NOT IN ('completed', 'cancelled') OR EXISTS (
                     SELECT 1 FROM job_queue AS child
                     WHERE child.parent_job_id = parent.id AND child.status = 'blocked'
                 ))
           ) THEN parent_job_id
       END,
       failure_type, next_retry_at, last_error_traceback, dead_letter_reason, moved_to_dead_letter_at,
       COALESCE(queue, 'default'), COALESCE(run_at, ready_at, created_at), claim_number, crash_count, max_crashes,
       deferral_count, max_deferrals, unique_key, cancel_requested_at, progress, progress_message, result, metadata,
       expires_at, deadline_at, limit_key,
       max_retries, run_at IS NOT NULL, COALESCE(ready_at, created_at), unique_key, lapsed_worker_id,
       CASE awaits_settings WHEN 4 THEN (queue IS NULL) + 2 * (priority IS NULL) ELSE awaits_settings END
FROM job_queue AS moved
WHERE id > ?1
  AND (?2 OR status NOT IN ('completed', 'cancelled') OR EXISTS (
      SELECT 1 FROM job_queue AS child
      WHERE child.parent_job_id = moved.id AND child.status = 'blocked'
  ))
ORDER BY id
LIMIT ?3
