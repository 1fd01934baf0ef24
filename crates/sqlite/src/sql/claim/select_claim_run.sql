-- One run of the claim index: the ready jobs of one type in one queue, in the order in which they must run. It is read
-- row by row until enough jobs are taken, so the jobs behind them cost nothing.
SELECT id, priority, claim_number, job_data, retry_count, max_retries, crash_count, max_crashes, deferral_count,
       max_deferrals, expires_at, deadline_at, timeout_seconds, COALESCE(ready_at, created_at), metadata,
       parent_job_id IS NOT NULL OR waits IS NOT NULL, lapsed_worker_id
FROM job_queue INDEXED BY job_queue_ready
WHERE job_type = ?1
  AND queue = ?2
  AND status = 'pending'
  AND run_at IS NULL
  AND lane IS NULL
ORDER BY priority DESC, id
