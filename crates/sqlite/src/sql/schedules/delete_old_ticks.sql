DELETE FROM job_ticks
WHERE schedule = ?1
  AND due_at IN (SELECT due_at FROM job_ticks WHERE schedule = ?1 AND due_at < ?2 ORDER BY due_at LIMIT ?3)
