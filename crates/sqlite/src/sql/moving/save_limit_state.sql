UPDATE job_limits
SET arrival = ?3,
    closed_until = ?4
WHERE scope = ?1
  AND name = ?2
