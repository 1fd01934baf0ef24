-- Which of the signals $2 have come to the batches $1.
SELECT s.batch_id, s.name
FROM unnest($1::bigint[], $2::text[]) AS asked (batch_id, name)
CROSS JOIN LATERAL (
    SELECT s.batch_id, s.name
    FROM longshore.signal AS s
    WHERE s.batch_id = asked.batch_id
      AND s.name = asked.name
    LIMIT 1
) AS s
