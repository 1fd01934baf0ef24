UPDATE job_queue
SET status = 'pending',
    ready_at = run_at,
    run_at = NULL,
    next_retry_at = NULL
WHERE id IN (SELECT value FROM rarray(?1))
  AND status IN ('pending', 'retrying')
  AND run_at IS NOT NULL
