INSERT INTO longshore.change
SELECT *
FROM json_populate_recordset(NULL::longshore.change, $1::json)
