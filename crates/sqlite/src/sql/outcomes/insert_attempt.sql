-- Another program may have decreased the claim number, so that it repeats. The later attempt is kept.
INSERT INTO job_attempts (
    job_id, claim_number, attempt, worker_id, started_at, finished_at, outcome, failure_type, error_message, traceback
)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
ON CONFLICT (job_id, claim_number) DO UPDATE
SET attempt = excluded.attempt,
    worker_id = excluded.worker_id,
    started_at = excluded.started_at,
    finished_at = excluded.finished_at,
    outcome = excluded.outcome,
    failure_type = excluded.failure_type,
    error_message = excluded.error_message,
    traceback = excluded.traceback
