-- Locks the limits of these types ($1) and queues ($2) until the claim has counted what it starts. What another claim has
-- locked at this moment is left to it.
SELECT limit_id
FROM longshore.job_limit
WHERE (scope = 2 AND name = ANY ($1::text[]))
   OR (scope = 1 AND name = ANY ($2::text[]))
ORDER BY limit_id
FOR NO KEY UPDATE SKIP LOCKED
