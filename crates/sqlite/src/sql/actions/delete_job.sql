-- The foreign keys delete its attempts and its logs, and set the parent of its children to NULL.
DELETE FROM job_queue
WHERE id = ?1
  AND status <> 'running'
