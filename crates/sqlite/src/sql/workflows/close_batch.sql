UPDATE job_batches
SET closed_at = COALESCE(closed_at, ?2)
WHERE id = ?1
