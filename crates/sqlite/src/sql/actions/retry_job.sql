UPDATE job_queue
SET status = ?3,
    ready_at = ?2,
    run_at = NULL,
    next_retry_at = NULL,
    completed_at = NULL,
    dead_letter_reason = NULL,
    moved_to_dead_letter_at = NULL,
    cancel_requested_at = NULL,
    result = NULL,
    progress = NULL,
    progress_message = NULL,
    retry_count = 0,
    crash_count = 0,
    lapsed_worker_id = NULL,
    deferral_count = 0,
    expires_at = CASE WHEN expires_at > ?2 THEN expires_at END,
    deadline_at = CASE WHEN deadline_at > ?2 THEN deadline_at END,
    overdue_seen_at = NULL,
    -- Its lane may be gone.
    lane = (SELECT own.id FROM job_lanes AS own WHERE own.id = job_queue.lane)
WHERE id = ?1
  AND status IN ('retrying', 'completed', 'cancelled', 'dead_letter')
