-- Lanes of an earlier key give no job any more. Closed, they keep no claim that reads the open ones.
UPDATE job_lanes
SET is_open = 0
WHERE id IN (
    SELECT id
    FROM job_lanes INDEXED BY job_lanes_open
    WHERE is_open
      AND job_type = ?1
      AND key_revision <> ?2
    LIMIT ?3
)
