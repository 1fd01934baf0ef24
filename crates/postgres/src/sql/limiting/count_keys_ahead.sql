-- How many lanes of the type and queue of a ready job ($1) come before its own, at most $2. None if it stands in no lane.
SELECT count(*) AS keys
FROM (
    SELECT
    FROM (
        SELECT l.*
        FROM longshore.job AS j
        JOIN longshore.laned AS r
            ON r.job_type = j.job_type
            AND r.queue = j.queue
            AND r.rank = -GREATEST(j.priority, -2147483647)
            AND r.again IN (false, true)
            AND r.id = j.id
        JOIN longshore.lane AS l ON l.lane = r.lane
        WHERE j.id = $1
        LIMIT 1
    ) AS own
    JOIN longshore.lane AS l
        ON l.job_type = own.job_type
        AND l.queue = own.queue
        AND (l.head_rank, l.turn, l.limit_key) < (own.head_rank, own.turn, own.limit_key)
    WHERE l.is_waiting
      AND NOT l.is_full
      AND NOT l.is_stale
      AND l.opens_at IS NULL
    LIMIT $2
) AS ahead
