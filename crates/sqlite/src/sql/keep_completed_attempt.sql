-- A success has no row of its own until its job is run again; then it would be lost.
INSERT INTO job_attempts (job_id, claim_number, attempt, worker_id, started_at, finished_at, outcome)
SELECT id, claim_number, retry_count + 1, worker_id, started_at, completed_at, 'completed'
FROM job_queue
WHERE id = ?1
  AND status = 'completed'
ON CONFLICT (job_id, claim_number) DO NOTHING
