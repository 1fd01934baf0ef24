-- Skips from one pair of type and queue with ready jobs to the next: one seek for each, however many jobs wait in it.
SELECT job_type, queue
FROM job_queue INDEXED BY job_queue_ready
WHERE (job_type, queue) > (?1, ?2)
  AND status = 'pending'
  AND run_at IS NULL
  AND lane IS NULL
ORDER BY job_type, queue
LIMIT 1
