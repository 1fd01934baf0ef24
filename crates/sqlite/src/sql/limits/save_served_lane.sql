-- save_lane.sql for one whose last service is long ago, which moves it in the index of idle lanes too.
UPDATE job_lanes
SET is_open = ?2,
    opens_at = ?3,
    head_priority = ?4,
    turn = ?5,
    served_at = ?6
WHERE id = ?1
