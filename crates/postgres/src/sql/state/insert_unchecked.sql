INSERT INTO longshore.blocked_unchecked (id)
SELECT *
FROM unnest($1::bigint[])
