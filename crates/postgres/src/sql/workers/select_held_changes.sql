-- Of what a worker says that it holds: what it has lost, and what it is to cancel.
SELECT held.id, running.id IS NULL AS is_lost
FROM unnest($2::bigint[], $3::bigint[]) WITH ORDINALITY AS held (id, claim_number, place)
LEFT JOIN longshore.running
    ON running.id = held.id
    AND running.claim_number = held.claim_number
    AND running.worker = $1
WHERE running.id IS NULL
    OR running.cancel_requested_at IS NOT NULL
ORDER BY held.place
