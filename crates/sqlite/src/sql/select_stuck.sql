-- The condition is that of the partial index word for word, or the index could not be used. It holds no row unless
-- another program wrote one.
SELECT id
FROM job_queue INDEXED BY job_queue_stuck
WHERE CASE status
          WHEN 'pending' THEN typeof(claim_number) <> 'integer' OR claim_number < 0
              OR claim_number >= 9223372036854775807 OR typeof(run_at) NOT IN ('null', 'integer')
          WHEN 'running' THEN typeof(claim_number) <> 'integer' OR typeof(worker_id) <> 'text' OR worker_id = ''
          WHEN 'completed' THEN typeof(completed_at) <> 'integer'
          WHEN 'retrying' THEN typeof(run_at) <> 'integer' OR typeof(claim_number) <> 'integer'
          WHEN 'dead_letter' THEN 0
          WHEN 'cancelled' THEN typeof(completed_at) <> 'integer'
          WHEN 'blocked' THEN typeof(parent_job_id) <> 'integer'
          ELSE 1
      END
ORDER BY id
LIMIT ?1
