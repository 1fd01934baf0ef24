UPDATE job_lanes
SET closed_until = max(COALESCE(closed_until, 0), ?3),
    is_open = 0,
    opens_at = max(COALESCE(opens_at, 0), ?3)
WHERE job_type = ?1
  AND limit_key = ?2
