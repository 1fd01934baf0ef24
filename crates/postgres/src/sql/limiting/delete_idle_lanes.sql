-- Removes at most $2 lanes of a type ($1) in which nothing waits. Whoever sorts the type holds the lock for that.
DELETE FROM longshore.lane
WHERE lane = ANY (
    ARRAY(
        SELECT l.lane
        FROM longshore.lane AS l
        WHERE NOT l.is_waiting
          AND l.job_type = $1
          AND NOT EXISTS (SELECT FROM longshore.laned AS r WHERE r.lane = l.lane)
        LIMIT $2
        FOR UPDATE SKIP LOCKED
    )
)
