SELECT EXISTS (
    SELECT 1
    FROM job_members
    WHERE job_id = ?1
      AND batch_id = ?2
      AND role = 'callback'
)
