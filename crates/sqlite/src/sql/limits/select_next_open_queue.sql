-- The next queue in which a lane of the type may give a job: one seek, however many lanes there are.
SELECT queue, head_priority, id
FROM job_lanes INDEXED BY job_lanes_open
WHERE is_open
  AND job_type = ?1
  AND queue >= ?2
ORDER BY queue, head_priority DESC, turn, limit_key, id
LIMIT 1
