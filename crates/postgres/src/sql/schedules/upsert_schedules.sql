INSERT INTO longshore.schedule (name, definition, revision, source, created_at, changed_at, settled_until, next_due_at,
                                paused_at, pause_reason, waiting, last_job_id)
SELECT *
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::timestamptz[],
            $8::timestamptz[], $9::timestamptz[], $10::text[], $11::text[], $12::bigint[])
ON CONFLICT (name) DO UPDATE
SET definition = excluded.definition,
    revision = excluded.revision,
    source = excluded.source,
    created_at = excluded.created_at,
    changed_at = excluded.changed_at,
    settled_until = excluded.settled_until,
    next_due_at = excluded.next_due_at,
    paused_at = excluded.paused_at,
    pause_reason = excluded.pause_reason,
    waiting = excluded.waiting,
    last_job_id = excluded.last_job_id
