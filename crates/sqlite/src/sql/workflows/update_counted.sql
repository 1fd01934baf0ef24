UPDATE job_members
SET counted = ?2
WHERE job_id = ?1
