DELETE FROM job_lanes
WHERE id = ?1
