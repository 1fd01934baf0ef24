-- Lanes from before the last change of the rule of their type.
SELECT id, key_revision
FROM job_lanes INDEXED BY job_lanes_unsettled
WHERE job_type = ?1
  AND revision < ?2
LIMIT ?3
