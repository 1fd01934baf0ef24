-- The first job of the next queue with ready jobs of one type: one seek on the claim index for each queue, without
-- reading the table. Queues with only other types are never visited.
SELECT queue, priority, id
FROM job_queue INDEXED BY job_queue_ready
WHERE job_type = ?1
  AND queue >= ?2
  AND status = 'pending'
  AND run_at IS NULL
  AND lane IS NULL
ORDER BY queue, priority DESC, id
LIMIT 1
