-- If the cancellation of a job was requested and its attempt did not end it, the job does not run again first.
UPDATE job_queue
SET status = 'cancelled',
    completed_at = ?2,
    next_retry_at = NULL
WHERE id = ?1
  AND status IN ('pending', 'retrying')
  AND cancel_requested_at IS NOT NULL
