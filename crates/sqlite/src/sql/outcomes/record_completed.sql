-- The queue is checked with the fence, because the writer updates the counts of the queue that it remembers.
-- OR FAIL: the statement need not be undone by itself, because its request is undone if it fails. Otherwise SQLite copies
-- each page that the triggers of lanes change, in case one of them fails.
UPDATE OR FAIL job_queue
SET status = 'completed',
    started_at = COALESCE(?5, started_at),
    completed_at = ?6,
    result = ?7
WHERE id = ?1
  AND worker_id = ?2
  AND claim_number = ?3
  AND status = 'running'
  AND queue = ?4
