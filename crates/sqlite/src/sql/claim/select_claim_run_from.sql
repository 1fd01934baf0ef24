-- One run of the claim index from a known job on. It skips the jobs that the same claim has already chosen.
SELECT id, priority, claim_number, job_data, retry_count, max_retries, crash_count, max_crashes, deferral_count,
       max_deferrals, expires_at, deadline_at, timeout_seconds, COALESCE(ready_at, created_at), metadata,
       parent_job_id IS NOT NULL OR waits IS NOT NULL, lapsed_worker_id
FROM job_queue INDEXED BY job_queue_ready
WHERE job_type = ?1
  AND queue = ?2
  AND priority <= ?3
  AND (priority < ?3 OR id >= ?4)
  AND status = 'pending'
  AND run_at IS NULL
  AND lane IS NULL
ORDER BY priority DESC, id
