SELECT attempt, claim_number, chunk_number, written_at, cut_bytes, text
FROM job_logs
WHERE job_id = ?1
ORDER BY claim_number, chunk_number
