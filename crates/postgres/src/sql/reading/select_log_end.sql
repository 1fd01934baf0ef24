-- Newest first, until the pieces have so many bytes together. The log of an attempt is bounded, so all of its pieces may
-- be looked at. The reversed order is that of the key, so nothing is sorted.
SELECT attempt, claim_number, chunk_number, written_at, cut_bytes, text
FROM (
    SELECT
        attempt, claim_number, chunk_number, written_at, cut_bytes, text,
        sum(octet_length(text)) OVER (ORDER BY chunk_number DESC) - octet_length(text) AS newer_bytes
    FROM longshore.log_chunk
    WHERE id = $1
      AND claim_number = $2
) AS piece
WHERE newer_bytes < $3
ORDER BY chunk_number DESC
