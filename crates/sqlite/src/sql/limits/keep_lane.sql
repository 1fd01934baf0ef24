-- It has jobs, so it is looked at again later. If it waits for an event, a program with its triggers off may have kept that
-- from it: an open lane that gives nothing costs one look.
UPDATE job_lanes
SET served_at = ?2,
    is_open = is_open OR opens_at IS NULL
WHERE id = ?1
