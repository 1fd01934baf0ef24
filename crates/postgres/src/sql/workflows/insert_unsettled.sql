INSERT INTO longshore.unsettled (kind, target_id, after_id)
SELECT kind, target_id, after_id
FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS hint (kind, target_id, after_id)
