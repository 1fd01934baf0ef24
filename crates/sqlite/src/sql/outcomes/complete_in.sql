-- On a caller's own connection: the triggers update the children and the depths. It writes before it reads, because a
-- transaction that has read cannot always start to write.
UPDATE job_queue
SET status = 'completed',
    started_at = COALESCE(?4, started_at),
    completed_at = ?5,
    result = ?6
WHERE id = ?1
  AND worker_id = ?2
  AND claim_number = ?3
  AND status = 'running'
RETURNING queue, COALESCE(ready_at, created_at)
