UPDATE job_batches
SET ended_at = ?2
WHERE id = ?1
