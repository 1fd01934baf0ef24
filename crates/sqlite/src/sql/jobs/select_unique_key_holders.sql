-- The jobs that have not ended and have this unique key: first the one that holds it, then those that passed it on while
-- they ran (see pass_unique_key.sql). The other conditions are those of the partial unique index, so that it is used.
SELECT id, status, queue, unique_key = ?1, expires_at, deadline_at
FROM job_queue
WHERE unique_key >= ?1
  AND unique_key < ?1 || char(32)
  AND (unique_key = ?1 OR unique_key > ?1 || char(31))
  AND unique_key IS NOT NULL
  AND status IN ('pending', 'running', 'retrying', 'blocked')
ORDER BY unique_key
