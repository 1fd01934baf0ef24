UPDATE job_lanes
SET is_open = 1,
    opens_at = NULL,
    revision = ?2
WHERE id = ?1
