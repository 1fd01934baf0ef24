-- How many jobs each of these workers holds.
SELECT name.worker_id, count(*)
FROM longshore.worker_name AS name
JOIN longshore.claim AS c ON c.worker = name.worker
CROSS JOIN LATERAL unnest(c.ids) AS held (id)
CROSS JOIN LATERAL (
    SELECT 1
    FROM longshore.running AS r
    WHERE r.id = held.id
      AND r.claim_number = c.claim_number
    LIMIT 1
) AS running
WHERE name.worker_id = ANY($1)
GROUP BY name.worker_id
