INSERT INTO longshore.log_chunk (id, claim_number, chunk_number, attempt, written_at, cut_bytes, text)
SELECT id, claim_number, chunk_number, attempt, written_at, cut_bytes, text
FROM json_to_recordset($1::json) AS given (
    id bigint, claim_number bigint, chunk_number integer, attempt integer, written_at timestamptz, cut_bytes bigint,
    text text
)
