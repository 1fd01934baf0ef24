-- A queue that comes back finds keys, but nothing of what they had spent.
INSERT INTO longshore.limit_key (job_type, limit_key, arrival, closed_until)
SELECT job_type, limit_key, arrival, closed_until
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::timestamptz[]) AS given (job_type, limit_key, arrival, closed_until)
ON CONFLICT (job_type, limit_key) DO UPDATE
SET arrival = excluded.arrival,
    closed_until = excluded.closed_until
