-- Newest first: the caller stops when it has read enough.
SELECT attempt, claim_number, chunk_number, written_at, cut_bytes, text
FROM job_logs
WHERE job_id = ?1
  AND claim_number = ?2
ORDER BY chunk_number DESC
