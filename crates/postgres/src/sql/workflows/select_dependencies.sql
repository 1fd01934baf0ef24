-- The dependencies of the jobs $1 in their order, at most $2 of each.
SELECT d.id, d.kind, d.target_id, d.signal, d.reference, d.needs, d.otherwise, d.state, d.timeout_at
FROM unnest($1::bigint[]) AS u (id)
CROSS JOIN LATERAL (
    SELECT d.id, d.position, d.kind, d.target_id, d.signal, d.reference, d.needs, d.otherwise, d.state, d.timeout_at
    FROM longshore.dependency AS d
    WHERE d.id = u.id
    ORDER BY d.position
    LIMIT $2
) AS d
ORDER BY d.id, d.position
