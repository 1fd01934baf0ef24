-- The lanes that may give a job, in the order of their turns. A claim reads as many as it may take from.
SELECT id, limit_key, head_priority, turn, served_at
FROM job_lanes INDEXED BY job_lanes_open
WHERE is_open
  AND job_type = ?1
  AND queue = ?2
ORDER BY head_priority DESC, turn, limit_key, id
LIMIT ?3 OFFSET ?4
