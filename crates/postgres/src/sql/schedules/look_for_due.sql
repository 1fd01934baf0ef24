-- One look of a scheduler that has nothing to do: whether anything is due, the next instant, and whether a tick waits for
-- the end of a job.
WITH instant AS MATERIALIZED (SELECT longshore.now() AS now)
SELECT COALESCE((
           SELECT next_due_at
           FROM longshore.schedule
           WHERE next_due_at IS NOT NULL
           ORDER BY next_due_at, name
           LIMIT 1
       ) <= instant.now, false) OR EXISTS (
           SELECT 1
           FROM longshore.schedule AS s
           WHERE s.waiting IS NOT NULL
             AND left(s.waiting, 1) = '['
             -- As in lock_released_schedules.sql.
             AND ((SELECT j.id FROM longshore.job AS j WHERE j.id = s.last_job_id LIMIT 1) IS NULL
                  OR (SELECT e.id FROM longshore.ended AS e WHERE e.id = s.last_job_id LIMIT 1) IS NOT NULL)
       ) AS is_due,
       (
           SELECT next_due_at
           FROM longshore.schedule
           WHERE next_due_at > instant.now
           ORDER BY next_due_at, name
           LIMIT 1
       ) AS next_due_at,
       EXISTS (
           SELECT 1 FROM longshore.schedule WHERE waiting IS NOT NULL AND left(waiting, 1) = '['
       ) AS has_waiting,
       instant.now
FROM instant
