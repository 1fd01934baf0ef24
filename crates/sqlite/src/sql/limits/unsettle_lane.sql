-- A lane of an earlier key that an earlier version of the program has settled. The next claim sorts its jobs.
UPDATE job_lanes
SET is_open = 0,
    revision = 0
WHERE id = ?1
