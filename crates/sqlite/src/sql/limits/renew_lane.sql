-- An empty lane whose rate is spent becomes one of the present keys. Under another id, because a job that has ended may be
-- retried, and must not find it. It is closed because no job waits in it: the first one opens it and raises the priority.
UPDATE job_lanes
SET id = (
        SELECT (type.number << 32) + type.last_lane + 1
        FROM job_limits AS type
        WHERE type.scope = 'type'
          AND type.name = job_lanes.job_type
    ),
    key_revision = ?2,
    revision = ?3,
    is_open = 0,
    opens_at = NULL,
    head_priority = -2147483648
WHERE id = ?1
  AND (arrival > ?4 OR closed_until > ?5)
