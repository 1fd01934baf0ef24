-- The jobs of a worker in bounded steps, with what the decision about an attempt needs.
SELECT running.id, running.claim_number, running.started_at, job.max_retries, job.max_crashes, job.max_deferrals,
       story.retry_count, story.crash_count, story.deferral_count, story.isolated_claim, job.expires_at,
       job.deadline_at
FROM (
    SELECT given.id, claim.claim_number
    FROM longshore.claim
    CROSS JOIN LATERAL unnest(claim.ids) AS given (id)
    WHERE claim.worker = $1
      AND given.id > $2
) claimed
JOIN longshore.running
    ON running.id = claimed.id
    AND running.claim_number = claimed.claim_number
    AND running.worker = $1
LEFT JOIN longshore.job ON job.id = running.id
LEFT JOIN longshore.story ON running.has_story AND story.id = running.id
ORDER BY running.id
LIMIT $3
