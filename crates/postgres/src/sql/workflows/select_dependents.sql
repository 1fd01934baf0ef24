-- The next dependencies on the targets, in the order of the arrays: $1 their kinds, $2 their ids, $3 the job behind which
-- to look, $4 how many dependencies at most.
SELECT t.place, d.id, d.position, d.kind, d.target_id, d.signal, d.needs, d.otherwise, d.state, d.timeout_at
FROM unnest($1::text[], $2::bigint[], $3::bigint[]) WITH ORDINALITY AS t (kind, target_id, after_id, place)
CROSS JOIN LATERAL (
    SELECT d.id, d.position, d.kind, d.target_id, d.signal, d.needs, d.otherwise, d.state, d.timeout_at
    FROM longshore.dependency AS d
    WHERE d.target_id = t.target_id
      AND d.kind = t.kind
      AND d.id > t.after_id
    ORDER BY d.id, d.position
    LIMIT $4
) AS d
ORDER BY t.place, d.id, d.position
LIMIT $4
