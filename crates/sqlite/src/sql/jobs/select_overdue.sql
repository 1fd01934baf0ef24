-- The conditions are exactly those of the partial index. Running jobs are skipped. Ended jobs are marked, so that they
-- are found only once.
SELECT id
FROM job_queue INDEXED BY job_queue_overdue
WHERE COALESCE(expires_at, deadline_at) IS NOT NULL
  AND overdue_seen_at IS NULL
  AND min(COALESCE(expires_at, deadline_at), COALESCE(deadline_at, expires_at)) <= ?1
  AND status <> 'running'
ORDER BY min(COALESCE(expires_at, deadline_at), COALESCE(deadline_at, expires_at)), id
LIMIT ?2
