-- One look of a scheduler that has nothing to do: whether anything is due, the next instant, and whether a tick waits for
-- the end of a job.
WITH instant AS MATERIALIZED (SELECT longshore.now() AS now)
SELECT EXISTS (
           SELECT 1
           FROM longshore.schedule
           WHERE next_due_at <= instant.now
       ) OR EXISTS (
           SELECT 1
           FROM longshore.schedule AS s
           WHERE s.waiting IS NOT NULL
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
       ) AS is_due,
       (
           SELECT next_due_at
           FROM longshore.schedule
           WHERE next_due_at > instant.now
           ORDER BY next_due_at
           LIMIT 1
       ) AS next_due_at,
       EXISTS (SELECT 1 FROM longshore.schedule WHERE waiting IS NOT NULL) AS has_waiting,
       instant.now
FROM instant
