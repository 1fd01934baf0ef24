SELECT a.attempt, a.claim_number, w.worker_id, a.started_at, a.finished_at, a.outcome, a.failure_type, a.error_message,
       a.traceback
FROM longshore.attempt AS a
LEFT JOIN LATERAL (
    SELECT worker_id
    FROM longshore.worker_name
    WHERE worker = a.worker
    LIMIT 1
) AS w ON true
WHERE a.id = $1
ORDER BY a.claim_number
