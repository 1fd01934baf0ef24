-- A job ended, was retried or goes. Nothing is noted of one that is in no workflow.
INSERT INTO job_followups (kind, target_id)
SELECT 'job', ?1
WHERE EXISTS (SELECT 1 FROM job_members WHERE job_id = ?1)
   OR EXISTS (
       SELECT 1
       FROM job_waits INDEXED BY job_waits_waiting
       WHERE kind = 'job'
         AND target_id = ?1
         AND signal = ''
         AND state = 'waiting'
   )
ON CONFLICT (kind, target_id, signal, revives) DO UPDATE SET after_job = 0
