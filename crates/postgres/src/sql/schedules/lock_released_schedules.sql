-- Those whose tick waited for the end of a job that has ended. Only the schedules with such a tick are looked at.
SELECT name, definition, revision, source, created_at, changed_at, settled_until, next_due_at, paused_at, pause_reason,
       waiting, last_job_id
FROM longshore.schedule AS s
WHERE s.waiting IS NOT NULL
  AND left(s.waiting, 1) = '['
  AND s.name > $1
  -- A job that is there and has not ended is open.
  AND NOT EXISTS (
      SELECT 1
      FROM longshore.job AS j
      WHERE j.id = s.last_job_id
        AND NOT EXISTS (SELECT 1 FROM longshore.ended AS e WHERE e.id = j.id)
  )
ORDER BY s.name
LIMIT $2
FOR UPDATE OF s SKIP LOCKED
