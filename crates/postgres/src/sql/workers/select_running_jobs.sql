SELECT w.worker, held.id, held.job_type, held.started_at
FROM unnest($1::integer[]) AS w (worker)
CROSS JOIN LATERAL (
    SELECT running.id, running.job_type, running.started_at
    FROM longshore.claim
    CROSS JOIN LATERAL unnest(claim.ids) AS given (id)
    JOIN longshore.running
        ON running.id = given.id
        AND running.claim_number = claim.claim_number
        AND running.worker = claim.worker
    WHERE claim.worker = w.worker
    ORDER BY running.started_at, running.id
    LIMIT $2
) held
ORDER BY w.worker, held.started_at, held.id
