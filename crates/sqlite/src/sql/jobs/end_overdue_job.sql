-- Ends a waiting job: as cancelled at its expiry, as a dead letter at its deadline.
UPDATE job_queue
SET status = ?2,
    completed_at = ?3,
    moved_to_dead_letter_at = CASE ?2 WHEN 'dead_letter' THEN ?3 END,
    dead_letter_reason = ?4,
    next_retry_at = NULL,
    overdue_seen_at = ?3
WHERE id = ?1
  AND status IN ('pending', 'retrying', 'blocked')
