-- It has jobs, so it is looked at again later.
UPDATE job_lanes
SET served_at = ?2
WHERE id = ?1
