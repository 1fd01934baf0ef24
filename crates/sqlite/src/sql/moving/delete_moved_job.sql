DELETE FROM job_queue
WHERE id = ?1
RETURNING queue, status
