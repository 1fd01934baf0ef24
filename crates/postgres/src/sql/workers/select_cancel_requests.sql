-- No row if the worker is not registered, one of NULL if nothing is asked of it.
SELECT asked.id, asked.claim_number
FROM longshore.worker w
LEFT JOIN LATERAL (
    SELECT running.id, running.claim_number
    FROM longshore.claim
    CROSS JOIN LATERAL unnest(claim.ids) AS given (id)
    JOIN longshore.running
        ON running.id = given.id
        AND running.claim_number = claim.claim_number
        AND running.worker = claim.worker
    WHERE claim.worker = w.worker
        AND running.cancel_requested_at IS NOT NULL
) asked ON true
WHERE w.worker = $1
ORDER BY asked.id
