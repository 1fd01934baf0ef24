-- Under other rules, the lanes of a type ($1) may not be full or closed any more. The next claim of one looks.
UPDATE longshore.lane
SET is_full = false,
    opens_at = NULL
WHERE job_type = $1
  AND (is_full OR opens_at IS NOT NULL)
