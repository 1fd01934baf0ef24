-- New pieces of logs. $1 worker; $2 job, $3 claim, $4 piece, $5 number of the attempt, $6 bytes that were cut, $7 text.
-- A report whose answer was lost may come twice: the later text of a piece is the more complete one.
INSERT INTO longshore.log_chunk (id, claim_number, chunk_number, attempt, written_at, cut_bytes, text)
SELECT l.id, l.claim_number, l.chunk_number, l.attempt, now.now, l.cut_bytes, l.text
FROM unnest($2::bigint[], $3::bigint[], $4::integer[], $5::integer[], $6::bigint[], $7::text[])
    l (id, claim_number, chunk_number, attempt, cut_bytes, text)
CROSS JOIN (SELECT longshore.now() AS now OFFSET 0) now
LEFT JOIN LATERAL (
    SELECT r.id
    FROM longshore.running r
    WHERE r.id = l.id
      AND r.claim_number = l.claim_number
      AND r.worker = (SELECT n.worker FROM longshore.worker_name n WHERE n.worker_id = $1)
    LIMIT 1
    FOR KEY SHARE
) r ON true
LEFT JOIN LATERAL (
    SELECT e.id
    FROM longshore.ended e
    WHERE r.id IS NULL
      AND e.id = l.id
      AND e.status = 1
      AND e.claim_number = l.claim_number
      AND e.worker = (SELECT n.worker FROM longshore.worker_name n WHERE n.worker_id = $1)
    LIMIT 1
) e ON true
WHERE r.id IS NOT NULL
   OR e.id IS NOT NULL
ON CONFLICT (id, claim_number, chunk_number) DO UPDATE
SET written_at = excluded.written_at,
    cut_bytes = excluded.cut_bytes,
    text = excluded.text
