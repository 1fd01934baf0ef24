SELECT attempt, claim_number, worker_id, started_at, finished_at, outcome, failure_type, error_message, traceback
FROM job_attempts
WHERE job_id = ?1
ORDER BY claim_number
