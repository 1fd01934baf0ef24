-- A success gets its own row only when its job runs again, because the job's row would no longer show it.
INSERT INTO job_attempts (job_id, claim_number, attempt, worker_id, started_at, finished_at, outcome)
SELECT id, claim_number, retry_count + 1, worker_id, started_at, completed_at, 'completed'
FROM job_queue
WHERE id = ?1
  AND status = 'completed'
ON CONFLICT (job_id, claim_number) DO NOTHING
