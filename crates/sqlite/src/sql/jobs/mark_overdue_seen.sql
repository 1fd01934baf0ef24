UPDATE job_queue
SET overdue_seen_at = ?2
WHERE id IN (SELECT value FROM rarray(?1))
  AND status NOT IN ('pending', 'running', 'retrying', 'blocked')
