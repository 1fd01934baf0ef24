SELECT due_at
FROM job_ticks
WHERE schedule = ?1 AND due_at >= ?2 AND due_at <= ?3
ORDER BY due_at
