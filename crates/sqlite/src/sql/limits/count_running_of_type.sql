-- The running jobs of a type stand in one range of lanes. Counted up to the concurrency of the type.
SELECT count(*)
FROM (
    SELECT 1
    FROM job_queue INDEXED BY job_queue_lanes
    WHERE status = 'running'
      AND lane > ?1
      AND lane < ?2
    LIMIT ?3
)
