INSERT INTO longshore.dependency (
    id, position, kind, target_id, signal, reference, needs, otherwise, state, timeout_ms, timeout_at
)
SELECT new.id, new.position, new.kind, new.target_id, new.signal, new.reference, new.needs, new.otherwise, 'waiting',
       new.timeout_ms, longshore.now() + new.timeout_ms * interval '1 millisecond'
FROM unnest(
    $1::bigint[], $2::integer[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[]
) AS new (id, position, kind, target_id, signal, reference, needs, otherwise, timeout_ms)
