SELECT EXISTS (
    SELECT 1
    FROM job_members
    JOIN job_queue ON job_queue.id = job_members.job_id
    WHERE job_members.job_id = ?1
      AND job_members.batch_id = ?2
      AND job_members.role = 'member'
      AND job_queue.status = 'running'
      AND job_queue.worker_id = ?3
      AND job_queue.claim_number = ?4
)
