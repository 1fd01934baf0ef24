-- The conditions are those of the partial index word for word. A job that runs is let run; what has ended is marked, so
-- that it is found once.
SELECT id
FROM job_queue INDEXED BY job_queue_overdue
WHERE COALESCE(expires_at, deadline_at) IS NOT NULL
  AND overdue_seen_at IS NULL
  AND min(COALESCE(expires_at, deadline_at), COALESCE(deadline_at, expires_at)) <= ?1
  AND status <> 'running'
ORDER BY min(COALESCE(expires_at, deadline_at), COALESCE(deadline_at, expires_at)), id
LIMIT ?2
