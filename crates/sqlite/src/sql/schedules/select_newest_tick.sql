SELECT due_at
FROM job_ticks
WHERE schedule = ?1
ORDER BY due_at DESC
LIMIT 1 OFFSET ?2
