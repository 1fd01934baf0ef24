-- What a worker holds beyond the claims that it names, a row for each job. No row if the worker is not registered, one of
-- NULL if it holds nothing more.
SELECT held.id, held.claim_number
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
        AND NOT EXISTS (
            SELECT
            FROM unnest($2::bigint[], $3::bigint[]) AS known (id, claim_number)
            WHERE known.id = running.id
                AND known.claim_number = running.claim_number
        )
    ORDER BY running.id
    LIMIT $4
) held ON true
WHERE w.worker = (SELECT n.worker FROM longshore.worker_name n WHERE n.worker_id = $1)
