UPDATE job_queue
SET status = 'pending',
    ready_at = ?2,
    run_at = ?3,
    next_retry_at = NULL
WHERE id = ?1
  AND status IN ('pending', 'running', 'retrying')
