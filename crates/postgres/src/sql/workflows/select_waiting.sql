-- All dependencies of the jobs $1, at most $2.
SELECT t.place, d.id, d.position, d.kind, d.target_id, d.signal, d.needs, d.otherwise, d.state, d.timeout_at
FROM unnest($1::bigint[]) WITH ORDINALITY AS t (id, place)
CROSS JOIN LATERAL (
    SELECT d.id, d.position, d.kind, d.target_id, d.signal, d.needs, d.otherwise, d.state, d.timeout_at
    FROM longshore.dependency AS d
    WHERE d.id = t.id
    ORDER BY d.position
    LIMIT $2
) AS d
ORDER BY t.place, d.position
LIMIT $2
