-- A lease that a claim gave before, if the worker still has it, with the columns of a claim's own rows.
SELECT id, priority, claim_number, job_data, retry_count, max_retries, crash_count, max_crashes, deferral_count,
       max_deferrals, expires_at, deadline_at, timeout_seconds, COALESCE(ready_at, created_at), metadata,
       parent_job_id IS NOT NULL OR waits IS NOT NULL, job_type, queue
FROM job_queue
WHERE id = ?1
  AND worker_id = ?2
  AND claim_number = ?3
  AND status = 'running'
