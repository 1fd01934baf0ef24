-- One step of a walk over the dead letters by id. Another program may not have written a time, so the nearest counts.
SELECT id, queue, status,
       CASE
           WHEN typeof(moved_to_dead_letter_at) = 'integer' THEN moved_to_dead_letter_at
           WHEN typeof(completed_at) = 'integer' THEN completed_at
           ELSE created_at
       END
FROM job_queue INDEXED BY job_queue_dead_letter
WHERE status = 'dead_letter'
  AND id > ?1
ORDER BY id
LIMIT ?2
