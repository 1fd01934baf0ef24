SELECT id, queue, status
FROM job_queue
WHERE id > ?1
ORDER BY id
LIMIT ?2
