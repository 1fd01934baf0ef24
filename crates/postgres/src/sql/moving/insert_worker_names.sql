INSERT INTO longshore.worker_name (worker_id)
SELECT DISTINCT given.worker_id
FROM unnest($1::text[]) AS given (worker_id)
WHERE NOT EXISTS (SELECT FROM longshore.worker_name AS known WHERE known.worker_id = given.worker_id)
ON CONFLICT DO NOTHING
