DELETE FROM job_batches
WHERE id = ?1
