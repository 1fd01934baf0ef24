-- Those whose tick waited for the end of a job that has ended. Only the schedules with such a tick are looked at.
SELECT name, definition, revision, source, created_at, changed_at, settled_until, next_due_at, paused_at, pause_reason,
       waiting, last_job_id
FROM longshore.schedule AS s
WHERE s.waiting IS NOT NULL
  AND s.name > $1
  AND NOT EXISTS (SELECT 1 FROM longshore.ready AS r, longshore.job AS j
                  WHERE j.id = s.last_job_id
                    AND r.job_type = j.job_type
                    AND r.queue = j.queue
                    AND r.rank = -GREATEST(j.priority, -2147483647)
                    AND r.again IN (false, true)
                    AND r.id = j.id)
  AND NOT EXISTS (SELECT 1 FROM longshore.later AS l WHERE l.id = s.last_job_id)
  AND NOT EXISTS (SELECT 1 FROM longshore.blocked AS b WHERE b.id = s.last_job_id)
  AND NOT EXISTS (SELECT 1 FROM longshore.running AS r WHERE r.id = s.last_job_id)
ORDER BY s.name
LIMIT $2
FOR UPDATE OF s SKIP LOCKED
