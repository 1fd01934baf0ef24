-- The batches of those of the jobs $1 that have one.
SELECT m.id, m.batch_id
FROM unnest($1::bigint[]) AS u (id)
CROSS JOIN LATERAL (
    SELECT m.id, m.batch_id
    FROM longshore.member AS m
    WHERE m.id = u.id
      AND m.batch_id IS NOT NULL
    LIMIT 1
) AS m
