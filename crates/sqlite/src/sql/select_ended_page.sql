-- One step of a walk over all jobs by id: a step costs what it looks at, whatever the table holds.
SELECT id, queue, status, completed_at
FROM job_queue
WHERE id > ?1
ORDER BY id
LIMIT ?2
