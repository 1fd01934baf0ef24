SELECT batch_id, role, reference, counted
FROM job_members
WHERE job_id = ?1
