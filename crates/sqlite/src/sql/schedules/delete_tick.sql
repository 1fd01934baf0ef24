DELETE FROM job_ticks
WHERE schedule = ?1 AND due_at = ?2
