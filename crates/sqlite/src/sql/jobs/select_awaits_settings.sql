-- Jobs that were inserted before their type was registered, and whose type is registered now. It starts from the
-- registered types, so jobs of other types cost nothing, however many there are.
SELECT job.id
FROM job_type_settings AS settings
CROSS JOIN job_queue AS job INDEXED BY job_queue_awaits_settings
WHERE job.job_type = settings.job_type
  AND job.awaits_settings IS NOT NULL
LIMIT ?1
