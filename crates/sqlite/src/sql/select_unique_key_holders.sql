-- The conditions are those of the partial unique index, so that it is used.
SELECT id
FROM job_queue
WHERE unique_key = ?1
  AND unique_key IS NOT NULL
  AND status IN ('pending', 'running', 'retrying', 'blocked')
