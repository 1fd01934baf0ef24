-- Those whose tick waited for the end of a job that has ended. Only the schedules with such a tick are looked at.
SELECT name, definition, revision, source, created_at, changed_at, settled_until, next_due_at, paused_at, pause_reason,
       waiting, last_job_id
FROM longshore.schedule AS s
WHERE s.waiting IS NOT NULL
  AND left(s.waiting, 1) = '['
  AND s.name > $1
  -- A job that is there and has not ended is open. By the schedules, whatever the planner expects: as joins, all jobs that
  -- have not ended may come first.
  AND ((SELECT j.id FROM longshore.job AS j WHERE j.id = s.last_job_id LIMIT 1) IS NULL
       OR (SELECT e.id FROM longshore.ended AS e WHERE e.id = s.last_job_id LIMIT 1) IS NOT NULL)
ORDER BY s.name
LIMIT $2
FOR UPDATE OF s SKIP LOCKED
