-- Skips from queue to queue on the claim index: the price is one seek for each queue, whatever waits in it.
-- Ends before the blobs that a plain INSERT may have left: read as text, they would be found again and again.
SELECT queue
FROM job_queue INDEXED BY job_queue_ready
WHERE status = 'pending'
  AND run_at IS NULL
  AND queue > ?1
  AND queue < x''
ORDER BY queue
LIMIT 1
