SELECT a.id, a.attempt, a.claim_number, w.worker_id, a.started_at, a.finished_at, a.outcome, a.failure_type,
       a.error_message, a.traceback
FROM longshore.attempt AS a
LEFT JOIN longshore.worker_name AS w ON w.worker = a.worker
WHERE a.id = ANY($1)
ORDER BY a.id, a.claim_number
