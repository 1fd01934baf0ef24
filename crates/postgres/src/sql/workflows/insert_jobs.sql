-- Creates jobs of a workflow that have no unique key, in the order of the arrays, and gives their ids. $14 says how many
-- dependencies each waits for; NULL is none. All of them have `has_story`, because their batch hears of their end. The hot
-- path has a statement of its own (enqueue/insert_plain_jobs), which must agree in everything else and looks at no
-- dependencies.
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
             $8::integer[], $9::integer[], $10::bigint[], $11::bigint[], $12::bigint[], $13::text[], $14::integer[]
         ) WITH ORDINALITY AS t (
             job_type, job_data, queue, priority, at, delay_ms, max_retries,
             max_crashes, max_deferrals, timeout_ms, expires_in_ms, deadline_in_ms, metadata, unmet, place
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
    INSERT INTO longshore.ready (job_type, queue, rank, again, id, ready_at, has_story)
    SELECT job_type, queue, -GREATEST(priority, -2147483647), false, id, now, true
    FROM new
    WHERE unmet IS NULL
      AND run_at IS NULL
),
delayed AS (
    INSERT INTO longshore.later (id, job_type, queue, due_at, is_retry, has_story)
    SELECT id, job_type, queue, run_at, false, true
    FROM new
    WHERE unmet IS NULL
      AND run_at IS NOT NULL
),
waiting AS (
    INSERT INTO longshore.blocked (id, queue, due_at, has_story, unmet)
    SELECT id, queue, run_at, true, unmet
    FROM new
    WHERE unmet IS NOT NULL
),
counted AS (
    INSERT INTO longshore.change (queue, pending, blocked)
    SELECT queue,
           NULLIF(count(*) FILTER (WHERE unmet IS NULL), 0),
           NULLIF(count(*) FILTER (WHERE unmet IS NOT NULL), 0)
    FROM new
    GROUP BY queue
)
SELECT id
FROM new
ORDER BY place
