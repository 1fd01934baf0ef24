-- Runs after every wake-up of a worker, so it reads only the rows that the worker runs.
SELECT id, claim_number
FROM job_queue INDEXED BY job_queue_running
WHERE worker_id = ?1
  AND status = 'running'
  AND cancel_requested_at IS NOT NULL
ORDER BY id
