SELECT status, queue, claim_number, run_at, worker_id, next_retry_at, completed_at, COALESCE(parent_job_id, waits)
FROM job_queue
WHERE id = ?1
