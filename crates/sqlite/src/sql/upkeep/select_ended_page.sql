-- One step of a walk over all jobs by id. The cost of a step does not depend on the size of the table.
SELECT id, queue, status, completed_at
FROM job_queue
WHERE id > ?1
ORDER BY id
LIMIT ?2
