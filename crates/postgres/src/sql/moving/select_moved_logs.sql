SELECT id, attempt, claim_number, chunk_number, written_at, cut_bytes, text
FROM longshore.log_chunk
WHERE id = ANY($1)
ORDER BY id, claim_number, chunk_number
