-- The first ready job of a lane behind those that the same claim has already chosen.
SELECT id, priority, claim_number, job_data, retry_count, max_retries, crash_count, max_crashes, deferral_count,
       max_deferrals, expires_at, deadline_at, timeout_seconds, COALESCE(ready_at, created_at), metadata,
       parent_job_id IS NOT NULL OR waits IS NOT NULL, lapsed_worker_id
FROM job_queue INDEXED BY job_queue_lanes
WHERE status = 'pending'
  AND lane = ?1
  AND run_at IS NULL
  AND priority <= ?2
  AND (priority < ?2 OR id > ?3)
ORDER BY priority DESC, id
LIMIT 1
