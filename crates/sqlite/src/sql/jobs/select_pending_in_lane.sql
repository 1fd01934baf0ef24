SELECT id
FROM job_queue INDEXED BY job_queue_lanes
WHERE lane = ?1
  AND status = 'pending'
LIMIT ?2
