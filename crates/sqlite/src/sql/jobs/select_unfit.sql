-- Jobs without a queue that wait for the settings of their type, and whose row a constraint rejects with any settings.
-- The conditions are the opposite of the constraints. So many of the waiting jobs are read at most.
SELECT job.id
FROM (
    SELECT id
    FROM job_queue INDEXED BY job_queue_awaits_settings
    WHERE awaits_settings IS NOT NULL
    LIMIT ?2
) AS awaiting
CROSS JOIN job_queue AS job
WHERE job.id = awaiting.id
  AND job.queue IS NULL
  AND job.status IN ('pending', 'retrying', 'blocked')
  AND (typeof(job.priority) NOT IN ('integer', 'null') OR job.max_retries < 0 OR job.timeout_seconds <= 0)
LIMIT ?1
