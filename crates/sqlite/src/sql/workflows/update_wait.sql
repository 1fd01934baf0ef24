UPDATE job_waits
SET state = ?3,
    timeout_at = ?4
WHERE job_id = ?1
  AND position = ?2
