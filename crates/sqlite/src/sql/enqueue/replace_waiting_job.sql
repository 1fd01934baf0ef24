-- The values that a new job gives to the job with its unique key. If ?10 is set, also its time: ?11 is the status with
-- that time, and ?12 the time if it has not passed.
UPDATE job_queue
SET job_type = ?2,
    job_data = ?3,
    priority = ?4,
    max_retries = ?5,
    timeout_seconds = ?6,
    max_crashes = ?7,
    max_deferrals = ?8,
    metadata = ?9,
    status = CASE WHEN ?10 THEN ?11 ELSE status END,
    run_at = CASE WHEN ?10 THEN ?12 ELSE run_at END,
    next_retry_at = CASE WHEN NOT ?10 THEN next_retry_at WHEN ?11 = 'retrying' THEN ?12 END,
    expires_at = ?14,
    deadline_at = ?15,
    limit_key = ?16,
    ready_at = CASE WHEN ?10 AND ?12 IS NULL THEN ?13 ELSE ready_at END
WHERE id = ?1
  AND status IN ('pending', 'retrying', 'blocked')
