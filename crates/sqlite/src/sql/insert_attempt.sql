INSERT INTO job_attempts (
    job_id, claim_number, attempt, worker_id, started_at, finished_at, outcome, failure_type, error_message, traceback
)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
