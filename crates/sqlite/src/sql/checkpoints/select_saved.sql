SELECT step, attempt, saved_at, value
FROM job_checkpoints
WHERE job_id = ?1
ORDER BY step
