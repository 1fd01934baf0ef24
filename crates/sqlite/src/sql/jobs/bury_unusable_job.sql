-- In any state of the row. Each column that a constraint checks gets the nearest valid value. Otherwise a row that
-- bypassed the constraints could not be changed at all. A claim number that cannot grow starts again after the recorded
-- attempts.
UPDATE job_queue
SET status = 'dead_letter',
    completed_at = ?2,
    moved_to_dead_letter_at = ?2,
    dead_letter_reason = ?3,
    next_retry_at = NULL,
    job_type = CASE WHEN typeof(job_type) = 'text' AND job_type > '' THEN job_type ELSE 'unknown' END,
    queue = CASE WHEN typeof(queue) = 'text' AND queue > '' THEN queue ELSE 'default' END,
    job_data = CASE WHEN json_valid(job_data) THEN job_data ELSE json_quote(CAST(job_data AS TEXT)) END,
    metadata = CASE WHEN json_valid(metadata) THEN metadata END,
    priority = CASE typeof(priority) WHEN 'integer' THEN priority ELSE 5 END,
    created_at = CASE typeof(created_at) WHEN 'integer' THEN created_at ELSE ?2 END,
    run_at = CASE typeof(run_at) WHEN 'integer' THEN run_at END,
    expires_at = CASE typeof(expires_at) WHEN 'integer' THEN expires_at END,
    deadline_at = CASE typeof(deadline_at) WHEN 'integer' THEN deadline_at END,
    timeout_seconds = CASE WHEN timeout_seconds > 0 THEN timeout_seconds END,
    retry_count = max(retry_count, 0),
    max_retries = max(max_retries, 0),
    max_crashes = max(max_crashes, 0),
    max_deferrals = max(max_deferrals, 0),
    claim_number = CASE
        WHEN typeof(claim_number) = 'integer' AND claim_number BETWEEN 0 AND 9223372036854775806 THEN claim_number
        ELSE (
            SELECT COALESCE(max(claim_number), 0) + 1
            FROM job_attempts
            WHERE job_id = ?1
              AND claim_number < 4611686018427387904
        )
    END
WHERE id = ?1
