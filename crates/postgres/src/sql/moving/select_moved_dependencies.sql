SELECT d.id, d.kind, d.target_id, d.signal, d.reference, d.needs, d.otherwise, d.state, d.timeout_ms, d.timeout_at
FROM longshore.dependency AS d
WHERE d.id = ANY($1)
ORDER BY d.id, d.position
