-- In no order, because the index has none by id.
SELECT id, true
FROM job_queue INDEXED BY job_queue_blocked
WHERE status = 'blocked'
LIMIT ?1
