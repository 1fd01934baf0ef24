-- What the rate of a key has spent in a lane that goes counts in the lanes of the same key that stay.
UPDATE job_lanes
SET arrival = max(arrival, (SELECT gone.arrival FROM job_lanes AS gone WHERE gone.id = ?1)),
    closed_until = NULLIF(
        max(
            COALESCE(closed_until, 0),
            COALESCE((SELECT gone.closed_until FROM job_lanes AS gone WHERE gone.id = ?1), 0)
        ),
        0
    )
WHERE job_type = ?2
  AND limit_key = (SELECT gone.limit_key FROM job_lanes AS gone WHERE gone.id = ?1)
  AND key_revision = ?3
