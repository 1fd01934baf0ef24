INSERT INTO longshore.minute (minute, queue, completed, failed, retried, cancelled, waited_ms, ran_ms)
SELECT minute, queue, completed, failed, retried, cancelled, waited_ms, ran_ms
FROM json_populate_recordset(NULL::longshore.minute, $1::json)
