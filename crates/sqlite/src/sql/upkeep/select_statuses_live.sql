-- The jobs with a status that has its own index: ended jobs cost nothing here. A CHECK or a condition of the index makes
-- each part complete.
SELECT COALESCE(queue, 'default'), status
FROM job_queue INDEXED BY job_queue_ready
WHERE status = 'pending'
  AND run_at IS NULL
  AND lane IS NULL
UNION ALL
SELECT COALESCE(queue, 'default'), status
FROM job_queue INDEXED BY job_queue_due
WHERE status = 'pending'
  AND run_at IS NOT NULL
  AND status IN ('pending', 'retrying')
UNION ALL
SELECT COALESCE(queue, 'default'), status
FROM job_queue INDEXED BY job_queue_running
WHERE status = 'running'
UNION ALL
SELECT COALESCE(queue, 'default'), status
FROM job_queue INDEXED BY job_queue_dead_letter
WHERE status = 'dead_letter'
UNION ALL
SELECT COALESCE(queue, 'default'), status
FROM job_queue INDEXED BY job_queue_lanes
WHERE status = 'pending'
  AND lane IS NOT NULL
  AND run_at IS NULL
