-- The children of job ?1 behind job ?2.
SELECT id, job_type, status, 1 AS is_child
FROM job_queue INDEXED BY job_queue_parent
WHERE parent_job_id = ?1
  AND id > ?2
ORDER BY id
LIMIT ?3
