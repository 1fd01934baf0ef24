-- Counts up to a limit, so that the cost does not depend on the number of waiting jobs.
SELECT pair.job_type, pair.queue, counted.jobs, counted.oldest_ready_at
FROM unnest($1::text[], $2::text[]) AS pair (job_type, queue)
CROSS JOIN LATERAL (
    SELECT count(*) AS jobs, min(first.ready_at) AS oldest_ready_at
    FROM (
        SELECT r.ready_at
        FROM longshore.ready AS r
        WHERE r.job_type = pair.job_type
          AND r.queue = pair.queue
        LIMIT $3
    ) AS first
) AS counted
WHERE counted.jobs > 0
