SELECT
FROM longshore.ended AS e
JOIN longshore.worker_name AS n ON n.worker = e.worker
WHERE n.worker_id = $1
  AND e.id = $2
  AND e.claim_number = $3
  AND e.status = 1
