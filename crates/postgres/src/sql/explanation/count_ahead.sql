-- The jobs of type $1 in queue $2 that a claim takes before job $4 of rank $3, at most $5. Each part is one range of the
-- primary key and ends with its limit, because it is read in that order.
SELECT count(*)
FROM (
    (
        SELECT
        FROM longshore.ready
        WHERE job_type = $1
          AND queue = $2
          AND rank < $3
        ORDER BY job_type, queue, rank, again, id
        LIMIT $5
    )
    UNION ALL
    (
        SELECT
        FROM longshore.ready
        WHERE job_type = $1
          AND queue = $2
          AND rank = $3
          AND again = false
          AND id < $4
        ORDER BY job_type, queue, rank, again, id
        LIMIT $5
    )
    UNION ALL
    (
        SELECT
        FROM longshore.ready
        WHERE job_type = $1
          AND queue = $2
          AND rank = $3
          AND again = true
          AND id < $4
        ORDER BY job_type, queue, rank, again, id
        LIMIT $5
    )
    LIMIT $5
) AS ahead
