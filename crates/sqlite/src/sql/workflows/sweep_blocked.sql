-- The next jobs that wait for something else than a parent, and whether nothing of it is open, or what they need has happened
-- or can no longer happen. One that was retried alone has time, and one that waits on for a retry goes on.
SELECT job.id,
       NOT EXISTS (
           SELECT 1
           FROM job_waits INDEXED BY job_waits_unmet
           WHERE job_id = job.id
             AND state IN ('waiting', 'failed')
       )
       OR EXISTS (
           SELECT 1
           FROM job_waits AS wait
           WHERE wait.job_id = job.id
             AND wait.state = 'waiting'
             AND CASE wait.kind
                     WHEN 'signal' THEN EXISTS (
                         SELECT 1 FROM job_signals WHERE batch_id = wait.target_id AND name = wait.signal
                     )
                     WHEN 'batch' THEN wait.timeout_at IS NULL
                         AND NOT EXISTS (SELECT 1 FROM job_batches WHERE id = wait.target_id AND ended_at IS NULL)
                         AND (
                             wait.otherwise <> 'wait'
                             OR wait.needs = 'ended'
                             OR (wait.needs = 'completed') = EXISTS (
                                 SELECT 1 FROM job_batches WHERE id = wait.target_id AND completed = members
                             )
                         )
                     ELSE wait.timeout_at IS NULL
                         AND NOT EXISTS (
                             SELECT 1
                             FROM job_queue
                             WHERE id = wait.target_id
                               AND status NOT IN ('completed', 'cancelled', 'dead_letter')
                         )
                         AND (
                             wait.otherwise <> 'wait'
                             OR wait.needs = 'ended'
                             OR (wait.needs = 'completed') = EXISTS (
                                 SELECT 1 FROM job_queue WHERE id = wait.target_id AND status = 'completed'
                             )
                         )
                 END
       )
FROM job_queue AS job INDEXED BY job_queue_blocked
WHERE job.status = 'blocked'
  AND job.parent_job_id IS NULL
  AND job.id > ?1
ORDER BY job.id
LIMIT ?2
