UPDATE job_queue
SET status = 'dead_letter',
    completed_at = ?2,
    moved_to_dead_letter_at = ?2,
    dead_letter_reason = ?3
WHERE id = ?1
  AND status = 'blocked'
