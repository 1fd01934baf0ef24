SELECT 1
FROM job_queue INDEXED BY job_queue_lanes
WHERE lane = ?1
  AND status = 'running'
LIMIT 1
