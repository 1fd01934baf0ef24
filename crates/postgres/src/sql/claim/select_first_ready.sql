-- The first ready jobs ($3 at most) of each lane of the types ($1) and queues ($2, NULL for all) of a claim.
WITH RECURSIVE lane AS (
    SELECT t.job_type, '' AS queue, -2147483648 AS rank, false AS again
    FROM unnest($1::text[]) t (job_type)
    UNION ALL
    SELECT l.job_type, n.queue, n.rank, n.again
    FROM lane l
    CROSS JOIN LATERAL (
        SELECT r.queue, r.rank, r.again
        FROM longshore.ready r
        WHERE r.job_type = l.job_type
          AND (r.queue, r.rank, r.again) > (l.queue, l.rank, l.again)
        ORDER BY r.job_type, r.queue, r.rank, r.again, r.id
        LIMIT 1
    ) n
)
SELECT x.id
FROM lane l
CROSS JOIN LATERAL (
    SELECT r.id
    FROM longshore.ready r
    WHERE r.job_type = l.job_type
      AND r.queue = l.queue
      AND r.rank = l.rank
      AND r.again = l.again
    ORDER BY r.id
    LIMIT $3
) x
WHERE ($2::text[] IS NULL OR l.queue = ANY ($2::text[]))
  AND NOT EXISTS (SELECT 1 FROM longshore.queue_pause p WHERE p.queue = l.queue)
