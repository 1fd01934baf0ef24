SELECT id, duplicate
FROM longshore.enqueue_or_meet(
    job_type => $1::text,
    job_data => $2::text::json,
    queue => $3::text,
    priority => $4::bigint::integer,
    run_at => timestamptz 'epoch' + $5::bigint * interval '1 millisecond',
    delay => $6::bigint * interval '1 millisecond',
    max_retries => $7::bigint::integer,
    timeout_seconds => $8::bigint / 1000.0::double precision,
    unique_key => $9::text,
    on_duplicate => $10::text,
    unique_while => $11::text,
    parent_job_id => $12::bigint,
    expires_at => longshore.now() + $13::bigint * interval '1 millisecond',
    deadline_at => longshore.now() + $14::bigint * interval '1 millisecond',
    max_crashes => $15::bigint::integer,
    max_deferrals => $16::bigint::integer,
    metadata => $17::text::json,
    limit_key => $18::text
)
