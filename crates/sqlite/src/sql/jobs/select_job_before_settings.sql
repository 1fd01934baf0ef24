SELECT job.status, job.queue, COALESCE(CASE WHEN job.awaits_settings & 1 THEN settings.queue END, job.queue), job.job_type
FROM job_queue AS job
JOIN job_type_settings AS settings ON settings.job_type = job.job_type
WHERE job.id = ?1
  AND job.awaits_settings IS NOT NULL
