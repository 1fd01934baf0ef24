-- What a claim leaves of the keys ($1) that it holds. NULL in $3 where it has not counted.
UPDATE longshore.limit_key AS k
SET arrival = s.arrival,
    counted_from = COALESCE(s.counted_from, k.counted_from)
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS s (key_id, arrival, counted_from)
WHERE k.key_id = s.key_id
