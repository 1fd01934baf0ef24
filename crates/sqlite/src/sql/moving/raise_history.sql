UPDATE job_history
SET last_id = max(last_id, ?1)
