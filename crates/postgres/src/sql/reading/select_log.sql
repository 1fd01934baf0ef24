SELECT attempt, claim_number, chunk_number, written_at, cut_bytes, text
FROM longshore.log_chunk
WHERE id = $1
  AND (claim_number, chunk_number) > ($2, $3)
  AND ($4::integer IS NULL OR attempt = $4)
ORDER BY claim_number, chunk_number
LIMIT $5
