SELECT jobs
FROM job_depths
WHERE queue = ?1
  AND status = ?2
