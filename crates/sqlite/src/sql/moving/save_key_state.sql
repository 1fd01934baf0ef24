UPDATE job_lanes
SET arrival = ?3,
    closed_until = ?4
WHERE job_type = ?1
  AND limit_key = ?2
