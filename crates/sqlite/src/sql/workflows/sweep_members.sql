-- The next members, and whether the counts of their batch hold another status than they have, or they are gone.
SELECT job_members.job_id,
       job_queue.id IS NULL
           OR job_members.counted IS NOT CASE
               WHEN job_queue.status IN ('completed', 'cancelled', 'dead_letter') THEN job_queue.status
           END
FROM job_members
LEFT JOIN job_queue ON job_queue.id = job_members.job_id
WHERE job_members.job_id > ?1
ORDER BY job_members.job_id
LIMIT ?2
