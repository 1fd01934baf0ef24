SELECT value
FROM job_checkpoints
WHERE job_id = ?1
  AND step = ?2
