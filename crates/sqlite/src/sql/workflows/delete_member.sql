DELETE FROM job_members
WHERE job_id = ?1
