INSERT INTO longshore.dependency (
    id, position, kind, target_id, signal, reference, needs, otherwise, state, timeout_ms, timeout_at
)
SELECT given.id, given.position, given.kind, given.target_id, given.signal, given.reference, given.needs, given.otherwise,
       given.state, given.timeout_ms, given.timeout_at
FROM json_to_recordset($1::json) AS given (
    id bigint, position integer, kind text, target_id bigint, signal text, reference text, needs text, otherwise text,
    state text, timeout_ms bigint, timeout_at timestamptz
)
