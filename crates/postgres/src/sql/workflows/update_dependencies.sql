UPDATE longshore.dependency AS d
SET state = given.state,
    timeout_at = NULL
FROM unnest($1::bigint[], $2::integer[], $3::text[]) AS given (id, position, state)
WHERE d.id = given.id
  AND d.position = given.position
