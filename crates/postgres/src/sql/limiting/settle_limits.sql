-- What a claim leaves of the limits ($1) that it holds.
UPDATE longshore.job_limit AS l
SET arrival = s.arrival,
    counted_from = s.counted_from
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS s (limit_id, arrival, counted_from)
WHERE l.limit_id = s.limit_id
