INSERT INTO longshore.attempt (
    id, claim_number, attempt, worker, started_at, finished_at, outcome, failure_type, error_message, traceback
)
SELECT given.id, given.claim_number, given.attempt, w.worker, given.started_at, given.finished_at, given.outcome,
       given.failure_type, given.error_message, given.traceback
FROM json_to_recordset($1::json) AS given (
    id bigint, claim_number bigint, attempt integer, worker_id text, started_at timestamptz, finished_at timestamptz,
    outcome text, failure_type text, error_message text, traceback text
)
LEFT JOIN longshore.worker_name AS w ON w.worker_id = given.worker_id
