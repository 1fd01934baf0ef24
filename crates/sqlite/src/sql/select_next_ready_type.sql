-- Skips from type to type of one queue on the claim index, and ends before blobs, as select_next_ready_queue does.
SELECT job_type
FROM job_queue INDEXED BY job_queue_ready
WHERE status = 'pending'
  AND run_at IS NULL
  AND queue = ?1
  AND job_type > ?2
  AND job_type < x''
ORDER BY job_type
LIMIT 1
