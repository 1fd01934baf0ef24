INSERT INTO longshore.job_limit (scope, name, configured, manual, arrival, closed_until)
SELECT scope, name, configured, manual, arrival, closed_until
FROM unnest($1::smallint[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::timestamptz[])
    AS given (scope, name, configured, manual, arrival, closed_until)
