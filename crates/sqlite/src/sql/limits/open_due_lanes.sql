UPDATE job_lanes
SET is_open = 1,
    opens_at = NULL
WHERE id IN (
    SELECT id
    FROM job_lanes INDEXED BY job_lanes_closed
    WHERE job_type = ?1
      AND opens_at <= ?2
    ORDER BY opens_at
    LIMIT ?3
)
