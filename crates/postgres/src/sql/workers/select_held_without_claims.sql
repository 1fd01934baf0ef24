-- The same for a worker of which only the jobs are left: without its claims every running job is looked at.
SELECT running.id, running.claim_number, running.started_at, job.max_retries, job.max_crashes, job.max_deferrals,
       story.retry_count, story.crash_count, story.deferral_count, story.isolated_claim, job.expires_at,
       job.deadline_at
FROM longshore.running
LEFT JOIN longshore.job ON job.id = running.id
LEFT JOIN longshore.story ON running.has_story AND story.id = running.id
WHERE running.worker = $1
  AND running.id > $2
ORDER BY running.id
LIMIT $3
