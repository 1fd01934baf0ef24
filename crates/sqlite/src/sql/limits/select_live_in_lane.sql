-- The jobs of a lane that have not ended; each part is one range of the index.
SELECT id
FROM job_queue INDEXED BY job_queue_lanes
WHERE lane = ?1
  AND status = 'running'
UNION ALL
SELECT id
FROM job_queue INDEXED BY job_queue_lanes
WHERE lane = ?1
  AND status = 'pending'
UNION ALL
SELECT id
FROM job_queue INDEXED BY job_queue_lanes
WHERE lane = ?1
  AND status = 'retrying'
UNION ALL
SELECT id
FROM job_queue INDEXED BY job_queue_lanes
WHERE lane = ?1
  AND status = 'blocked'
LIMIT ?2
