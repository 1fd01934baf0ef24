-- Returned, with the worker that had it: a claim by another worker spends a crash.
UPDATE job_queue
SET status = 'pending',
    started_at = COALESCE(?5, started_at),
    ready_at = ?6,
    lapsed_worker_id = ?2
WHERE id = ?1
  AND worker_id = ?2
  AND claim_number = ?3
  AND status = 'running'
  AND queue = ?4
