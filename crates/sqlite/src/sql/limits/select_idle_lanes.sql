SELECT id, arrival <= ?2 AND COALESCE(closed_until, 0) <= ?1
FROM job_lanes INDEXED BY job_lanes_idle
WHERE served_at < ?3
ORDER BY served_at
LIMIT ?4
