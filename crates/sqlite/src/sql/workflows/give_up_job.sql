-- What the job waited for can no longer happen.
UPDATE job_queue
SET status = ?2,
    completed_at = ?3,
    moved_to_dead_letter_at = CASE ?2 WHEN 'dead_letter' THEN ?3 END,
    dead_letter_reason = ?4,
    next_retry_at = NULL
WHERE id = ?1
  AND status = 'blocked'
