-- Without the definition, which may be long and is in no index. The names stand twice, so that they are looked up whatever
-- the planner expects of the table.
UPDATE longshore.schedule AS s
SET settled_until = settled.settled_until,
    next_due_at = settled.next_due_at,
    waiting = settled.waiting,
    last_job_id = settled.last_job_id
FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::text[], $5::bigint[])
    AS settled (name, settled_until, next_due_at, waiting, last_job_id)
WHERE s.name = settled.name
  AND s.name = ANY ($1)
