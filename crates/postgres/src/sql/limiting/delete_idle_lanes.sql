-- Removes at most $2 lanes of a type ($1) in which nothing waits, and of whose key nothing runs, if they were not used
-- since $3. Whoever sorts the type holds the lock for that.
DELETE FROM longshore.lane
WHERE lane = ANY (
    ARRAY(
        SELECT l.lane
        FROM longshore.lane AS l
        WHERE NOT l.is_waiting
          AND l.job_type = $1
          AND l.used_at < $3
          AND NOT EXISTS (SELECT FROM longshore.running AS r WHERE r.key_id = l.key_id)
          AND NOT EXISTS (SELECT FROM longshore.laned AS r WHERE r.lane = l.lane)
        ORDER BY l.used_at
        LIMIT $2
        FOR UPDATE SKIP LOCKED
    )
)
