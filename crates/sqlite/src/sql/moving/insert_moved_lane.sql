-- A lane that keeps what the rate of a key has spent, in whatever queue its jobs are. It is closed because no job waits in
-- it: the first one opens it and raises the priority.
INSERT INTO job_lanes (
    id, job_type, queue, limit_key, key_revision, revision, is_open, head_priority, arrival, closed_until, served_at
)
SELECT (number << 32) + last_lane + 1, name, 'default', ?2, key_revision, revision, 0, -2147483648, ?3, ?4, ?5
FROM job_limits
WHERE scope = 'type'
  AND name = ?1
  AND has_lanes
