-- Somebody asked for the end of a job whose attempt did not end it: it does not run again first.
UPDATE job_queue
SET status = 'cancelled',
    completed_at = ?2,
    next_retry_at = NULL
WHERE id = ?1
  AND status IN ('pending', 'retrying')
  AND cancel_requested_at IS NOT NULL
