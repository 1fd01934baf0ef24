-- Skips from queue to queue on the claim index: the price is one seek for each queue, whatever waits in it.
SELECT queue
FROM job_queue INDEXED BY job_queue_ready
WHERE status = 'pending'
  AND run_at IS NULL
  AND queue > ?1
ORDER BY queue
LIMIT 1
