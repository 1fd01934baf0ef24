-- Lanes whose rate, or whoever asked to slow down, lets them give again.
UPDATE longshore.lane
SET opens_at = NULL
WHERE lane = ANY (
    ARRAY(
        SELECT l.lane
        FROM longshore.lane AS l
        WHERE l.opens_at <= longshore.now()
        ORDER BY l.opens_at, l.lane
        LIMIT $1
        FOR NO KEY UPDATE SKIP LOCKED
    )
)
