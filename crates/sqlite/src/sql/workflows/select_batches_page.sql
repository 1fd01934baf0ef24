SELECT id, name, created_at, closed_at, ended_at, members, completed, cancelled, dead_letter, callbacks
FROM job_batches
WHERE id < ?1
ORDER BY id DESC
