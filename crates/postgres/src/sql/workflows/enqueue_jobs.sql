-- Creates jobs with unique keys, parents or limit keys, in the order of the arrays. Gives the id of each, and what became
-- of those that met another job, with the queue of that one if it has changed.
SELECT e.id,
       e.duplicate,
       CASE
           WHEN e.duplicate IN ('replaced', 'pushed_back')
               THEN (SELECT j.queue FROM longshore.job AS j WHERE j.id = e.id)
       END AS changed_queue
FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::integer[], $5::timestamptz[], $6::bigint[], $7::integer[], $8::integer[],
    $9::integer[], $10::bigint[], $11::bigint[], $12::bigint[], $13::text[], $14::text[], $15::bigint[], $16::text[],
    $17::text[], $18::text[]
) WITH ORDINALITY AS t (
    job_type, job_data, queue, priority, at, delay_ms, max_retries, max_crashes, max_deferrals, timeout_ms,
    expires_in_ms, deadline_in_ms, metadata, unique_key, parent_job_id, limit_key, on_duplicate, unique_while, place
)
CROSS JOIN LATERAL longshore.enqueue_or_meet(
    job_type => t.job_type,
    job_data => t.job_data::json,
    queue => t.queue,
    priority => t.priority,
    run_at => t.at,
    delay => t.delay_ms * interval '1 millisecond',
    max_retries => t.max_retries,
    timeout_seconds => t.timeout_ms / 1000.0::double precision,
    unique_key => t.unique_key,
    on_duplicate => t.on_duplicate,
    unique_while => t.unique_while,
    parent_job_id => t.parent_job_id,
    expires_at => longshore.now() + t.expires_in_ms * interval '1 millisecond',
    deadline_at => longshore.now() + t.deadline_in_ms * interval '1 millisecond',
    max_crashes => t.max_crashes,
    max_deferrals => t.max_deferrals,
    metadata => t.metadata::json,
    limit_key => t.limit_key
) AS e
ORDER BY t.place
