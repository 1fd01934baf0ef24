-- A worker holds no more than it prefetched, so the sort is small.
SELECT id, job_type, started_at
FROM job_queue INDEXED BY job_queue_running
WHERE worker_id = ?1
  AND status = 'running'
ORDER BY started_at, id
LIMIT ?2
