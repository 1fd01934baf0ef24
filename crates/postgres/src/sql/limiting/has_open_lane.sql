-- Whether another claim holds a lane of these types ($1) and queues ($2, NULL for all, and none
-- of $3) that this one might have had.
WITH RECURSIVE pair AS (
    SELECT t.job_type, '' AS queue
    FROM unnest($1::text[]) AS t (job_type)
    UNION ALL
    SELECT p.job_type, n.queue
    FROM pair AS p
    CROSS JOIN LATERAL (
        SELECT l.queue
        FROM longshore.lane AS l
        WHERE l.job_type = p.job_type
          AND l.queue > p.queue
          AND l.is_waiting
          AND NOT l.is_full
          AND NOT l.is_stale
          AND l.opens_at IS NULL
        ORDER BY l.queue, l.head_rank, l.turn, l.limit_key
        LIMIT 1
    ) AS n
)
SELECT EXISTS (
    SELECT
    FROM pair AS p
    WHERE p.queue <> ''
      AND ($2::text[] IS NULL OR p.queue = ANY ($2::text[]))
      AND p.queue <> ALL ($3::text[])
      AND NOT EXISTS (SELECT FROM longshore.queue_pause AS q WHERE q.queue = p.queue)
) AS has_open
