UPDATE job_queue
SET status = 'dead_letter',
    started_at = COALESCE(?5, started_at),
    completed_at = ?6,
    moved_to_dead_letter_at = ?6,
    dead_letter_reason = ?7,
    failure_type = ?8,
    error_message = ?9,
    last_error_traceback = ?10,
    crash_count = COALESCE(?11, crash_count)
WHERE id = ?1
  AND worker_id = ?2
  AND claim_number = ?3
  AND status = 'running'
  AND queue = ?4
