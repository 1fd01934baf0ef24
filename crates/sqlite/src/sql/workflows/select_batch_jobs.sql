SELECT job_members.job_id, job_members.reference, job_members.role, job_queue.job_type, job_queue.status
FROM job_members INDEXED BY job_members_of_batch
JOIN job_queue ON job_queue.id = job_members.job_id
WHERE batch_id = ?1
  AND job_id > ?2
ORDER BY job_id
