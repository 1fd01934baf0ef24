SELECT due_at, decided_at, id, status, completed_at
FROM job_ticks LEFT JOIN job_queue ON id = job_id
WHERE schedule = ?1 AND job_id IS NOT NULL
ORDER BY due_at DESC
LIMIT ?2
