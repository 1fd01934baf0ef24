-- Claims of a worker of which nothing runs any more. The store that gives a claim removes it with its last job; those of a
-- worker whose requests go through several processes are left to this.
DELETE FROM longshore.claim
WHERE claim.worker = $1
  AND NOT EXISTS (
      SELECT
      FROM unnest(claim.ids) AS given (id)
      JOIN longshore.running
          ON running.id = given.id
          AND running.claim_number = claim.claim_number
          AND running.worker = claim.worker
  )
