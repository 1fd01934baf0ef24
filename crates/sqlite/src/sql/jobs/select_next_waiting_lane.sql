-- Skips from one lane with pending jobs to the next. Another program may have written a number that is no lane.
SELECT lane, EXISTS (SELECT 1 FROM job_lanes WHERE id = lane)
FROM job_queue INDEXED BY job_queue_lanes
WHERE status = 'pending'
  AND lane > ?1
ORDER BY lane
LIMIT 1
