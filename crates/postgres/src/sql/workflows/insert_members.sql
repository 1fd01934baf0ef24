INSERT INTO longshore.member (id, batch_id, reference, role)
SELECT id, $1, reference, role
FROM unnest($2::bigint[], $3::text[], $4::text[]) AS new (id, reference, role)
