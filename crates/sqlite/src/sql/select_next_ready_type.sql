-- Skips from type to type of one queue on the claim index, as select_next_ready_queue does from queue to queue.
SELECT job_type
FROM job_queue INDEXED BY job_queue_ready
WHERE status = 'pending'
  AND run_at IS NULL
  AND queue = ?1
  AND job_type > ?2
ORDER BY job_type
LIMIT 1
