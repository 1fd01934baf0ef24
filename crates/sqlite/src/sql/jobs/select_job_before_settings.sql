-- Its queue now and with the settings of its type. One without a queue was counted in the default one, if at all.
SELECT job.status, COALESCE(job.queue, 'default'),
       COALESCE(CASE WHEN job.awaits_settings & 1 THEN settings.queue END, job.queue, settings.queue, 'default'), job.job_type
FROM job_queue AS job
JOIN job_type_settings AS settings ON settings.job_type = job.job_type
WHERE job.id = ?1
  AND job.awaits_settings IS NOT NULL
