-- The open lanes of a type in a queue that have their turn before one of this priority, turn and key. Each part is one range
-- of the index and ends with its limit.
SELECT count(*)
FROM (
    SELECT *
    FROM (
        SELECT 1
        FROM job_lanes INDEXED BY job_lanes_open
        WHERE is_open
          AND job_type = ?1
          AND queue = ?2
          AND head_priority > ?3
        LIMIT ?6
    )
    UNION ALL
    SELECT *
    FROM (
        SELECT 1
        FROM job_lanes INDEXED BY job_lanes_open
        WHERE is_open
          AND job_type = ?1
          AND queue = ?2
          AND head_priority = ?3
          AND turn < ?4
        LIMIT ?6
    )
    UNION ALL
    SELECT *
    FROM (
        SELECT 1
        FROM job_lanes INDEXED BY job_lanes_open
        WHERE is_open
          AND job_type = ?1
          AND queue = ?2
          AND head_priority = ?3
          AND turn = ?4
          AND limit_key < ?5
        LIMIT ?6
    )
    LIMIT ?6
)
