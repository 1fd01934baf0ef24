-- A delay that has not passed stays; otherwise the job is ready from now on.
UPDATE job_queue
SET status = 'pending',
    run_at = CASE WHEN run_at > ?2 THEN run_at END,
    ready_at = ?2
WHERE id = ?1
  AND status = 'blocked'
