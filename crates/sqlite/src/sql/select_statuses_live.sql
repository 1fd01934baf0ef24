-- Where the jobs stand whose states have indexes of their own: whatever has ended costs nothing here. A CHECK or a
-- condition of the index itself makes each part complete.
SELECT queue, status
FROM job_queue INDEXED BY job_queue_ready
WHERE status = 'pending'
  AND run_at IS NULL
UNION ALL
SELECT queue, status
FROM job_queue INDEXED BY job_queue_due
WHERE status = 'pending'
  AND run_at IS NOT NULL
  AND status IN ('pending', 'retrying')
UNION ALL
SELECT queue, status
FROM job_queue INDEXED BY job_queue_running
WHERE status = 'running'
UNION ALL
SELECT queue, status
FROM job_queue INDEXED BY job_queue_dead_letter
WHERE status = 'dead_letter'
