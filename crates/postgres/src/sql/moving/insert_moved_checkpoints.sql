INSERT INTO longshore.checkpoint (id, step, attempt, saved_at, value)
SELECT given.id, given.step, given.attempt, given.saved_at, given.value::json
FROM json_to_recordset($1::json) AS given (id bigint, step text, attempt integer, saved_at timestamptz, value text)
