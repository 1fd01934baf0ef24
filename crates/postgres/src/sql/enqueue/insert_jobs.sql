-- Creates jobs with unique keys and parents, each with the id of $17 or a new one, in the order of the arrays. A job is
-- left out if its key is taken, or if its parent is missing or ended otherwise than completed. Those without a given id
-- are left out, too, if a running job has passed their key on: whether that counts depends on their rules.
WITH instant AS MATERIALIZED (SELECT longshore.now() AS now),
new AS MATERIALIZED (
    SELECT COALESCE(t.given_id, nextval('longshore.job_id')) AS id,
           t.*,
           i.now,
           CASE
               WHEN t.at > i.now THEN t.at
               WHEN t.delay_ms > 0 THEN i.now + t.delay_ms * interval '1 millisecond'
           END AS run_at
    FROM instant AS i,
         unnest(
             $1::text[], $2::text[], $3::text[], $4::integer[], $5::timestamptz[], $6::bigint[], $7::integer[],
             $8::integer[], $9::integer[], $10::bigint[], $11::bigint[], $12::bigint[], $13::text[],
             $14::text[], $15::bigint[], $16::text[], $17::bigint[]
         ) WITH ORDINALITY AS t (
             job_type, job_data, queue, priority, at, delay_ms, max_retries,
             max_crashes, max_deferrals, timeout_ms, expires_in_ms, deadline_in_ms, metadata,
             unique_key, parent_job_id, limit_key, given_id, place
         )
),
-- LIMIT 1 keeps each look-up an index scan for each job, whatever the planner believes about the sizes of the tables.
placed AS MATERIALIZED (
    SELECT new.id,
           new.parent_job_id IS NOT NULL AND parent.status IS NULL AS is_blocked,
           (new.parent_job_id IS NULL OR (parent.id IS NOT NULL AND COALESCE(parent.status, 1) = 1))
           AND (
               new.unique_key IS NULL
               OR new.given_id IS NOT NULL
               OR NOT EXISTS (
                   SELECT
                   FROM longshore.unique_key AS u
                   WHERE u.unique_key > (new.unique_key || chr(31)) COLLATE "C"
                     AND u.unique_key < (new.unique_key || ' ') COLLATE "C"
               )
           ) AS is_possible
    FROM new
    LEFT JOIN LATERAL (
        SELECT j.id, e.status
        FROM longshore.job AS j
        LEFT JOIN LATERAL (SELECT status FROM longshore.ended WHERE id = j.id LIMIT 1) AS e ON true
        WHERE new.parent_job_id IS NOT NULL
          AND j.id = new.parent_job_id
        LIMIT 1
    ) AS parent ON true
),
-- In one order everywhere, so that two batches with the same keys cannot wait for each other in a circle.
keyed AS (
    INSERT INTO longshore.unique_key (unique_key, id)
    SELECT new.unique_key, new.id
    FROM new
    JOIN placed USING (id)
    WHERE new.unique_key IS NOT NULL
      AND placed.is_possible
    ORDER BY new.unique_key COLLATE "C", new.place
    ON CONFLICT DO NOTHING
    RETURNING id
),
made AS MATERIALIZED (
    SELECT new.*, placed.is_blocked
    FROM new
    JOIN placed USING (id)
    LEFT JOIN keyed USING (id)
    WHERE placed.is_possible
      AND (new.unique_key IS NULL OR keyed.id IS NOT NULL)
),
bodies AS (
    INSERT INTO longshore.job (
        id, job_type, queue, priority, job_data, created_at, run_at, max_retries, max_crashes, max_deferrals,
        timeout_ms, expires_at, deadline_at, unique_key, parent_job_id, limit_key, metadata
    )
    SELECT id, job_type, queue, priority, job_data::json, now, run_at, max_retries, max_crashes, max_deferrals,
           timeout_ms,
           now + expires_in_ms * interval '1 millisecond',
           now + deadline_in_ms * interval '1 millisecond',
           unique_key, parent_job_id, limit_key, metadata::json
    FROM made
),
readied AS (
    INSERT INTO longshore.ready (job_type, queue, rank, again, id, ready_at)
    SELECT job_type, queue, -GREATEST(priority, -2147483647), false, id, now
    FROM made
    WHERE NOT is_blocked
      AND run_at IS NULL
),
delayed AS (
    INSERT INTO longshore.later (id, job_type, queue, due_at, is_retry)
    SELECT id, job_type, queue, run_at, false
    FROM made
    WHERE NOT is_blocked
      AND run_at IS NOT NULL
),
waiting AS (
    INSERT INTO longshore.blocked (id, parent_job_id, queue, due_at)
    SELECT id, parent_job_id, queue, run_at
    FROM made
    WHERE is_blocked
),
unchecked AS (
    INSERT INTO longshore.blocked_unchecked (id)
    SELECT id
    FROM made
    WHERE is_blocked
),
counted AS (
    INSERT INTO longshore.change (queue, pending, blocked)
    SELECT queue,
           NULLIF(count(*) FILTER (WHERE NOT is_blocked), 0),
           NULLIF(count(*) FILTER (WHERE is_blocked), 0)
    FROM made
    GROUP BY queue
)
SELECT new.id,
       made.id IS NOT NULL AS is_made
FROM new
LEFT JOIN made USING (id)
ORDER BY new.place
