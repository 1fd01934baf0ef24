-- Waiting jobs without a queue that do not wait for the settings of their type any more. Claims never find them. It
-- starts from the registered types, so it is one search for each of them.
SELECT job.id
FROM job_type_settings AS settings
CROSS JOIN job_queue AS job INDEXED BY job_queue_ready
WHERE job.job_type = settings.job_type
  AND job.queue IS NULL
  AND job.awaits_settings IS NULL
  AND job.status = 'pending'
  AND job.run_at IS NULL
  AND job.lane IS NULL
LIMIT ?1
