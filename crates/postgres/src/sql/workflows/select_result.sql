-- The result of a job that has completed.
SELECT result::text
FROM longshore.ended
WHERE id = $1
  AND status = 1
