-- A new batch of the name $1, which stays open if $2. Its id is in the range of the ids of jobs.
INSERT INTO longshore.batch (id, name, created_at, closed_at)
SELECT nextval('longshore.batch_number') + (sequence.last_value >> 44 << 44), $1, clock.now,
       CASE WHEN NOT $2 THEN clock.now END
FROM longshore.job_id AS sequence
CROSS JOIN longshore.now() AS clock (now)
RETURNING id
