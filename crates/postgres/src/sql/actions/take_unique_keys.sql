-- Of two jobs with one key the older one gets it.
INSERT INTO longshore.unique_key (unique_key, id)
SELECT unique_key, id
FROM unnest($1::text[], $2::bigint[]) AS wanted (unique_key, id)
ORDER BY id
ON CONFLICT DO NOTHING
