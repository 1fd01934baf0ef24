-- The jobs of a worker, in bounded steps, with the values that the decision about a crashed attempt needs.
SELECT id, claim_number, queue, COALESCE(ready_at, created_at), started_at, retry_count, max_retries, crash_count,
       max_crashes, deferral_count, max_deferrals, expires_at, deadline_at, isolated_claim
FROM job_queue INDEXED BY job_queue_running
WHERE worker_id = ?1
  AND status = 'running'
  AND id > ?2
ORDER BY id
LIMIT ?3
