-- Ready jobs have no index by id, so the next of each lane are merged. The lanes are found by skipping from one to the
-- next: a seek for each, however many jobs wait in it.
WITH RECURSIVE lane AS (
    (
        SELECT job_type, queue, rank, again
        FROM longshore.ready
        ORDER BY job_type, queue, rank, again
        LIMIT 1
    )
    UNION ALL
    SELECT next.*
    FROM lane
    CROSS JOIN LATERAL (
        SELECT r.job_type, r.queue, r.rank, r.again
        FROM longshore.ready AS r
        WHERE (r.job_type, r.queue, r.rank, r.again) > (lane.job_type, lane.queue, lane.rank, lane.again)
        ORDER BY r.job_type, r.queue, r.rank, r.again
        LIMIT 1
    ) AS next
)
SELECT found.id
FROM lane
CROSS JOIN LATERAL (
    SELECT r.id
    FROM longshore.ready AS r
    WHERE r.job_type = lane.job_type
      AND r.queue = lane.queue
      AND r.rank = lane.rank
      AND r.again = lane.again
      AND r.id < $1
      AND r.id >= $6
    ORDER BY r.id DESC
    LIMIT $2
) AS found
WHERE ($3::text[] IS NULL OR lane.job_type = ANY($3))
  AND ($4::text[] IS NULL OR lane.queue = ANY($4))
ORDER BY found.id DESC
LIMIT $2
