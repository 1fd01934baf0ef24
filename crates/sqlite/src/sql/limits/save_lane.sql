UPDATE job_lanes
SET is_open = ?2,
    opens_at = ?3,
    head_priority = ?4,
    turn = ?5
WHERE id = ?1
