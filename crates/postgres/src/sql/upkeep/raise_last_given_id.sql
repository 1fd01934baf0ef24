SELECT setval('longshore.job_id', $1)
FROM longshore.job_id AS sequence
-- An id is never given again, so the sequence never goes back.
WHERE sequence.last_value < $1
  AND NOT EXISTS (SELECT 1 FROM longshore.job)
