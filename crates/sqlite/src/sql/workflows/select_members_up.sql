SELECT job_members.job_id, job_queue.status
FROM job_members INDEXED BY job_members_of_batch
LEFT JOIN job_queue ON job_queue.id = job_members.job_id
WHERE batch_id = ?1
  AND job_id > ?2
  AND role = 'member'
ORDER BY job_id
LIMIT ?3
