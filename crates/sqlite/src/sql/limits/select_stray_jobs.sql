-- Ready jobs of a limited type that stand in no lane: they were there before the limit.
SELECT id
FROM job_queue INDEXED BY job_queue_ready
WHERE job_type = ?1
  AND status = 'pending'
  AND run_at IS NULL
  AND lane IS NULL
LIMIT ?2
