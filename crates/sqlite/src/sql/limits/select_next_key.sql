-- The next key of a type that has a lane: one seek, however many queues it stands in.
SELECT limit_key
FROM job_lanes
WHERE job_type = ?1
  AND limit_key > ?2
ORDER BY limit_key
LIMIT 1
