-- Not while it still has a job: the next look for lost workers finds it by its row. One row if it was deleted.
WITH gone AS (
    DELETE FROM longshore.worker w
    WHERE w.worker = $1
      AND NOT EXISTS (
          SELECT
          FROM longshore.claim
          CROSS JOIN LATERAL unnest(claim.ids) AS given (id)
          JOIN longshore.running
              ON running.id = given.id
              AND running.claim_number = claim.claim_number
              AND running.worker = claim.worker
          WHERE claim.worker = w.worker
      )
    RETURNING w.worker
),
unclaimed AS (
    DELETE FROM longshore.claim
    WHERE worker = (SELECT gone.worker FROM gone)
),
forgotten AS (
    DELETE FROM longshore.started
    WHERE worker = (SELECT gone.worker FROM gone)
)
SELECT gone.worker
FROM gone
