SELECT opens_at
FROM job_lanes INDEXED BY job_lanes_closed
WHERE job_type = ?1
  AND opens_at IS NOT NULL
ORDER BY opens_at
LIMIT 1
