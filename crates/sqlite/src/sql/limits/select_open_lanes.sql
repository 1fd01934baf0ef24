-- The lanes that may give a job, in the order of their turns. A claim reads as many as it may take from. Those of an earlier
-- key give none; they are left out while they are known to be unsettled.
SELECT id, limit_key, head_priority, turn, served_at, key_revision <> ?5
FROM job_lanes INDEXED BY job_lanes_open
WHERE is_open
  AND job_type = ?1
  AND queue = ?2
  AND (key_revision = ?5 OR revision = ?6)
ORDER BY head_priority DESC, turn, limit_key, id
LIMIT ?3 OFFSET ?4
