INSERT INTO longshore.signal (batch_id, name, data, sent_at)
SELECT given.batch_id, given.name, given.data::json, longshore.now()
FROM json_to_recordset($1::json) AS given (batch_id bigint, name text, data text)
