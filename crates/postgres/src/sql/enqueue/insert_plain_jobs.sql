-- Creates jobs without a unique key and without a parent, in the order of the arrays, and gives their ids.
-- The function of a row set gives its elements in order, so the ids grow in that order.
WITH instant AS MATERIALIZED (SELECT longshore.now() AS now),
new AS MATERIALIZED (
    SELECT nextval('longshore.job_id') AS id,
           t.*,
           i.now,
           CASE
               WHEN t.at > i.now THEN t.at
               WHEN t.delay_ms > 0 THEN i.now + t.delay_ms * interval '1 millisecond'
           END AS run_at
    FROM instant AS i,
         unnest(
             $1::text[], $2::text[], $3::text[], $4::integer[], $5::timestamptz[], $6::bigint[], $7::integer[],
             $8::integer[], $9::integer[], $10::bigint[], $11::bigint[], $12::bigint[], $13::text[]
         ) WITH ORDINALITY AS t (
             job_type, job_data, queue, priority, at, delay_ms, max_retries,
             max_crashes, max_deferrals, timeout_ms, expires_in_ms, deadline_in_ms, metadata, place
         )
),
bodies AS (
    INSERT INTO longshore.job (
        id, job_type, queue, priority, job_data, created_at, run_at, max_retries, max_crashes, max_deferrals,
        timeout_ms, expires_at, deadline_at, metadata
    )
    SELECT id, job_type, queue, priority, job_data::json, now, run_at, max_retries, max_crashes, max_deferrals,
           timeout_ms,
           now + expires_in_ms * interval '1 millisecond',
           now + deadline_in_ms * interval '1 millisecond',
           metadata::json
    FROM new
),
readied AS (
    INSERT INTO longshore.ready (job_type, queue, rank, again, id, ready_at)
    -- The lowest priority has no negation.
    SELECT job_type, queue, -GREATEST(priority, -2147483647), false, id, now
    FROM new
    WHERE run_at IS NULL
),
delayed AS (
    INSERT INTO longshore.later (id, job_type, queue, due_at, is_retry)
    SELECT id, job_type, queue, run_at, false
    FROM new
    WHERE run_at IS NOT NULL
),
counted AS (
    INSERT INTO longshore.change (queue, pending)
    SELECT queue, count(*)
    FROM new
    GROUP BY queue
)
SELECT id
FROM new
ORDER BY place
