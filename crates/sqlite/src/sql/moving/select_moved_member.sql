SELECT batch_id, reference, role, counted
FROM job_members
WHERE job_id = ?1
