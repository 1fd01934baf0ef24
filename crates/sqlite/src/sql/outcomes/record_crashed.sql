UPDATE job_queue
SET status = 'pending',
    started_at = COALESCE(?5, started_at),
    ready_at = ?6,
    crash_count = crash_count + 1,
    failure_type = ?7,
    error_message = ?8,
    last_error_traceback = ?9
WHERE id = ?1
  AND worker_id = ?2
  AND claim_number = ?3
  AND status = 'running'
  AND queue = ?4
