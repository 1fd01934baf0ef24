-- No attempt may start any more. The last failure is kept unless this attempt failed itself.
UPDATE job_queue
SET status = 'cancelled',
    started_at = COALESCE(?5, started_at),
    completed_at = ?6,
    dead_letter_reason = ?7,
    failure_type = COALESCE(?8, failure_type),
    error_message = COALESCE(?9, error_message),
    last_error_traceback = CASE WHEN ?8 IS NULL THEN last_error_traceback ELSE ?10 END
WHERE id = ?1
  AND worker_id = ?2
  AND claim_number = ?3
  AND status = 'running'
  AND queue = ?4
