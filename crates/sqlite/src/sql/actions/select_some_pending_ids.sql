-- In no order, because no index has all of them by id. What an index has beside them is marked, so that the limit holds for
-- all rows that are read.
SELECT id, true
FROM job_queue INDEXED BY job_queue_ready
WHERE status = 'pending' AND run_at IS NULL AND lane IS NULL
UNION ALL
SELECT id, status = 'pending'
FROM job_queue INDEXED BY job_queue_due
WHERE run_at IS NOT NULL AND status IN ('pending', 'retrying')
UNION ALL
SELECT id, run_at IS NULL
FROM job_queue INDEXED BY job_queue_lanes
WHERE status = 'pending' AND lane IS NOT NULL
LIMIT ?1
