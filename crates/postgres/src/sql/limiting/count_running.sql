-- From now on the running jobs of these types ($1) and queues ($2) count.
UPDATE longshore.running
SET is_counted = true
WHERE is_counted IS NOT true
  AND (job_type = ANY ($1::text[]) OR queue = ANY ($2::text[]))
