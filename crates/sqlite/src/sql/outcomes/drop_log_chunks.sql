DELETE FROM job_logs
WHERE job_id = ?1
  AND claim_number = ?2
  AND chunk_number >= ?3
  AND chunk_number < ?4
