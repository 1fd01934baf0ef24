UPDATE job_lanes
SET is_open = ?2,
    opens_at = ?3,
    head_priority = ?4
WHERE id = ?1
