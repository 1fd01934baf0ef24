-- The queue is checked with the fence, because the writer updates the counts of the queue that it remembers.
UPDATE job_queue
SET status = 'completed',
    started_at = COALESCE(?5, started_at),
    completed_at = ?6,
    result = ?7
WHERE id = ?1
  AND worker_id = ?2
  AND claim_number = ?3
  AND status = 'running'
  AND queue = ?4
