-- What a claim leaves of the keys ($1, sorted) that it holds: $2 the rate, $3 where counting begins, NULL where it has not
-- counted.
UPDATE longshore.limit_key AS k
SET arrival = ($2::bigint[])[width_bucket(k.key_id, $1::bigint[])],
    counted_from = COALESCE(($3::bigint[])[width_bucket(k.key_id, $1::bigint[])], k.counted_from)
WHERE k.key_id = ANY ($1::bigint[])
