-- Counts up to a limit, so that the cost does not depend on the number of waiting jobs. Each table by itself and in the order
-- of its index: any other plan looks at all of the waiting jobs first.
SELECT pair.job_type, pair.queue, counted.jobs, counted.oldest_ready_at
FROM unnest($1::text[], $2::text[]) AS pair (job_type, queue)
CROSS JOIN LATERAL (
    SELECT count(*) AS jobs, min(first.ready_at) AS oldest_ready_at
    FROM (
        SELECT looked.ready_at
        FROM (
            (
                SELECT r.ready_at
                FROM ONLY longshore.ready AS r
                WHERE r.job_type = pair.job_type
                  AND r.queue = pair.queue
                ORDER BY r.rank, r.again, r.id
                LIMIT $3
            )
            UNION ALL
            (
                SELECT l.ready_at
                FROM longshore.laned AS l
                WHERE l.job_type = pair.job_type
                  AND l.queue = pair.queue
                ORDER BY l.rank, l.again, l.id
                LIMIT $3
            )
        ) AS looked
        LIMIT $3
    ) AS first
) AS counted
WHERE counted.jobs > 0
