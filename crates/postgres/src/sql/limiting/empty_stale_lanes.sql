-- Lanes of earlier rules ($1: of this type) from which every job was taken are idle lanes. Only whoever sorts the type puts
-- jobs into lanes.
UPDATE longshore.lane AS l
SET is_waiting = false,
    is_stale = false
WHERE l.job_type = $1
  AND l.is_stale
  AND NOT EXISTS (SELECT FROM longshore.laned AS r WHERE r.lane = l.lane)
