DELETE FROM job_checkpoints
WHERE job_id = ?1
