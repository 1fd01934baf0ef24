-- The lanes of these types ($1) were made by an earlier rule.
UPDATE longshore.lane
SET is_stale = true
WHERE job_type = ANY ($1::text[])
  AND NOT is_stale
