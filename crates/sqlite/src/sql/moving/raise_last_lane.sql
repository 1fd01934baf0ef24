-- The id of a lane is never given again.
UPDATE job_limits
SET last_lane = last_lane + 1
WHERE scope = 'type'
  AND name = ?1
