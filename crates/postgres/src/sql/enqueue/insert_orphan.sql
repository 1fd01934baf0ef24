-- Creates a job whose parent has ended otherwise than completed: a dead letter for the reason $18. Its unique key is free
-- again at once.
WITH instant AS MATERIALIZED (SELECT longshore.now() AS now),
new AS MATERIALIZED (
    SELECT t.*, i.now
    FROM instant AS i,
         unnest(
             $1::text[], $2::text[], $3::text[], $4::integer[], $5::timestamptz[], $6::bigint[], $7::integer[],
             $8::integer[], $9::integer[], $10::bigint[], $11::bigint[], $12::bigint[], $13::text[],
             $14::text[], $15::bigint[], $16::text[], $17::bigint[]
         ) AS t (
             job_type, job_data, queue, priority, at, delay_ms, max_retries,
             max_crashes, max_deferrals, timeout_ms, expires_in_ms, deadline_in_ms, metadata,
             unique_key, parent_job_id, limit_key, id
         )
),
body AS (
    INSERT INTO longshore.job (
        id, job_type, queue, priority, job_data, created_at, run_at, max_retries, max_crashes, max_deferrals,
        timeout_ms, expires_at, deadline_at, unique_key, parent_job_id, limit_key, metadata
    )
    SELECT id, job_type, queue, priority, job_data::json, now,
           CASE
               WHEN at > now THEN at
               WHEN delay_ms > 0 THEN now + delay_ms * interval '1 millisecond'
           END,
           max_retries, max_crashes, max_deferrals, timeout_ms,
           now + expires_in_ms * interval '1 millisecond',
           now + deadline_in_ms * interval '1 millisecond',
           unique_key, parent_job_id, limit_key, metadata::json
    FROM new
),
ended AS (
    INSERT INTO longshore.ended (id, status, queue, ended_at, reason)
    SELECT id, 3, queue, now, $18
    FROM new
)
INSERT INTO longshore.change (queue, dead_letter, minute, minute_failed)
SELECT queue, 1, date_trunc('minute', now), 1
FROM new
