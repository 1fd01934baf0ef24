INSERT INTO longshore.ended (
    id, status, queue, ended_at, ready_at, started_at, claim_number, worker, has_story, cancel_requested_at, reason
)
SELECT id, status, queue, $4, ready_at, started_at, claim_number, worker, NULLIF(has_story, false), cancel_requested_at,
       reason
FROM unnest(
    $1::bigint[], $2::smallint[], $3::text[], $5::timestamptz[], $6::timestamptz[], $7::bigint[], $8::integer[],
    $9::boolean[], $10::timestamptz[], $11::text[]
) AS moved (
    id, status, queue, ready_at, started_at, claim_number, worker, has_story, cancel_requested_at, reason
)
