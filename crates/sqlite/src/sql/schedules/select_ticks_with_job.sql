-- By the index, so that skipped ticks are not walked through.
SELECT due_at, decided_at, id, status, completed_at
FROM job_ticks INDEXED BY job_ticks_with_job LEFT JOIN job_queue ON id = job_id
WHERE schedule = ?1 AND job_id IS NOT NULL
ORDER BY due_at DESC
LIMIT ?2
