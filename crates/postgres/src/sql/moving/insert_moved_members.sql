INSERT INTO longshore.member (id, batch_id, reference, role, counted)
SELECT given.id, given.batch_id, given.reference, given.role, given.counted
FROM json_to_recordset($1::json) AS given (id bigint, batch_id bigint, reference text, role text, counted smallint)
