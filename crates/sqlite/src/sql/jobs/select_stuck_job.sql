-- A job without a queue was counted in the default one, if at all.
SELECT status, COALESCE(queue, 'default'), claim_number, run_at, worker_id, next_retry_at, completed_at,
       COALESCE(parent_job_id, waits), queue IS NULL
FROM job_queue
WHERE id = ?1
