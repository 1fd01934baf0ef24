UPDATE job_queue
SET status = 'cancelled',
    cancel_requested_at = COALESCE(cancel_requested_at, ?2),
    completed_at = ?2,
    next_retry_at = NULL
WHERE id = ?1
  AND status IN ('pending', 'retrying', 'blocked')
