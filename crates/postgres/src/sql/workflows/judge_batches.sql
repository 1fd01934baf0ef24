-- $2: when each of the batches $1 ended, or NULL.
UPDATE longshore.batch AS b
SET ended_at = given.ended_at
FROM unnest($1::bigint[], $2::timestamptz[]) AS given (id, ended_at)
WHERE b.id = given.id
