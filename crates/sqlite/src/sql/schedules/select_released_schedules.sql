-- Those whose tick waited for the end of a job that has ended. Only the schedules with such a tick are looked at.
SELECT name, definition, revision, source, created_at, changed_at, settled_until, next_due_at, paused_at, pause_reason,
       waiting, last_job_id
FROM job_schedules
WHERE waiting IS NOT NULL AND name > ?1
  AND NOT EXISTS (
      SELECT 1 FROM job_queue
      WHERE id = last_job_id AND status IN ('pending', 'running', 'retrying', 'blocked')
  )
ORDER BY name
LIMIT ?2
