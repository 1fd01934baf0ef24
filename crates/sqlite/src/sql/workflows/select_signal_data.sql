SELECT data
FROM job_signals
WHERE batch_id = ?1
  AND name = ?2
