-- Gives running jobs of registered workers the row of their claim back. A store removes it with the last job that it knows
-- of, and does not know of those whose end was lost when a replica took the place of the server: without the row nobody
-- finds them while their worker lives.
INSERT INTO longshore.claim (claim_number, worker, request_id, ids)
SELECT running.claim_number, running.worker, 0, array_agg(running.id)
FROM longshore.running
JOIN longshore.worker ON worker.worker = running.worker
WHERE NOT EXISTS (SELECT FROM longshore.claim WHERE claim.claim_number = running.claim_number)
GROUP BY running.claim_number, running.worker
ON CONFLICT DO NOTHING
