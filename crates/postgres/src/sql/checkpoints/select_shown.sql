-- Results of steps that are longer than $2 bytes are not shown.
SELECT step, attempt, saved_at, CASE WHEN step = '' OR octet_length(value::text) <= $2 THEN value END,
       octet_length(value::text)::bigint
FROM longshore.checkpoint
WHERE id = $1
ORDER BY step
