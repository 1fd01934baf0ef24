-- A report whose answer was lost may come twice. The later text of a chunk is the more complete one.
INSERT INTO job_logs (job_id, claim_number, chunk_number, attempt, written_at, cut_bytes, text)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
ON CONFLICT (job_id, claim_number, chunk_number) DO UPDATE
SET written_at = excluded.written_at,
    cut_bytes = excluded.cut_bytes,
    text = excluded.text
