UPDATE longshore.blocked AS b
SET unmet = given.unmet
FROM unnest($1::bigint[], $2::integer[]) AS given (id, unmet)
WHERE b.id = given.id
