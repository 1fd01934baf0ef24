SELECT id, queue, job_type
FROM job_queue INDEXED BY job_queue_blocked
WHERE parent_job_id = ?1
  AND status = 'blocked'
ORDER BY id
