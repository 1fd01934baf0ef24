-- The new time of a waiting job. ?2 is its status with that time: a retrying job without a time becomes pending.
-- ready_at says since when a job without a time has been waiting.
UPDATE job_queue
SET status = ?2,
    run_at = ?3,
    next_retry_at = CASE ?2 WHEN 'retrying' THEN ?3 END,
    ready_at = CASE WHEN ?3 IS NULL THEN ?4 ELSE ready_at END
WHERE id = ?1
  AND status IN ('pending', 'retrying', 'blocked')
