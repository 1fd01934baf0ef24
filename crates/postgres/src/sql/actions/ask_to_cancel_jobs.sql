UPDATE longshore.running AS r
SET cancel_requested_at = COALESCE(r.cancel_requested_at, $2)
FROM longshore.worker_name AS n
WHERE r.id = ANY($1)
  AND n.worker = r.worker
RETURNING r.id, r.claim_number, n.worker_id
