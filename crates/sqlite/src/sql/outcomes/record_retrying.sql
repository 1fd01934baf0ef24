UPDATE job_queue
SET status = 'retrying',
    started_at = COALESCE(?5, started_at),
    run_at = ?6,
    next_retry_at = ?6,
    retry_count = retry_count + 1,
    failure_type = ?7,
    error_message = ?8,
    last_error_traceback = ?9
WHERE id = ?1
  AND worker_id = ?2
  AND claim_number = ?3
  AND status = 'running'
  AND queue = ?4
