-- The new time of a job that waits. ?2 is its state under that time: a retrying job has an instant to wait for, or it is
-- pending. ready_at says since when a job without an instant waits.
UPDATE job_queue
SET status = ?2,
    run_at = ?3,
    next_retry_at = CASE ?2 WHEN 'retrying' THEN ?3 END,
    ready_at = CASE WHEN ?3 IS NULL THEN ?4 ELSE ready_at END
WHERE id = ?1
  AND status IN ('pending', 'retrying', 'blocked')
