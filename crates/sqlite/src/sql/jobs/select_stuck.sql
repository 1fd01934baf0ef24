-- The condition is exactly that of the partial index; otherwise SQLite could not use it. The index is empty unless
-- another program wrote such a row.
SELECT id
FROM job_queue INDEXED BY job_queue_stuck
WHERE CASE
          WHEN status = 'pending' AND claim_number & 9223372036854775807 = claim_number
              AND claim_number <> 9223372036854775807 AND (run_at IS NULL OR run_at | 0 = run_at) THEN 0
          WHEN status = 'running' AND claim_number | 0 = claim_number
              AND worker_id > '' AND worker_id < x'' THEN 0
          WHEN status = 'completed' AND completed_at | 0 = completed_at THEN 0
          WHEN status = 'dead_letter' THEN 0
          WHEN status = 'retrying' AND run_at | 0 = run_at AND claim_number | 0 = claim_number THEN 0
          WHEN status = 'cancelled' AND completed_at | 0 = completed_at THEN 0
          WHEN status = 'blocked' AND (parent_job_id | 0 = parent_job_id OR waits > 0) THEN 0
          ELSE 1
      END
ORDER BY id
LIMIT ?1
