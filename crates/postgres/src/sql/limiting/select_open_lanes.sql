-- Locks the first lanes of these types ($1), at most $3 of each queue ($2, NULL for all): by the rank of their first jobs,
-- then by turn. Lanes that others claim from at this moment are left to them, so there is a row for each type and queue
-- that says how many are open, up to $3.
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
SELECT p.job_type, p.queue, o.lanes AS open, x.lane, x.key_id, x.head_rank, x.turn, x.limit_key, x.arrival, x.closed_until
FROM pair AS p
CROSS JOIN LATERAL (
    SELECT count(*) AS lanes
    FROM (
        SELECT
        FROM longshore.lane AS l
        WHERE l.job_type = p.job_type
          AND l.queue = p.queue
          AND l.is_waiting
          AND NOT l.is_full
          AND NOT l.is_stale
          AND l.opens_at IS NULL
        ORDER BY l.head_rank, l.turn, l.limit_key
        LIMIT $3
    ) AS l
) AS o
LEFT JOIN LATERAL (
    SELECT l.lane, l.key_id, l.head_rank, l.turn, l.limit_key, k.arrival, k.closed_until
    FROM longshore.lane AS l
    JOIN longshore.limit_key AS k ON k.key_id = l.key_id
    WHERE l.job_type = p.job_type
      AND l.queue = p.queue
      AND l.is_waiting
      AND NOT l.is_full
      AND NOT l.is_stale
      AND l.opens_at IS NULL
    ORDER BY l.head_rank, l.turn, l.limit_key
    LIMIT $3
    FOR NO KEY UPDATE OF l, k SKIP LOCKED
) AS x ON true
WHERE p.queue <> ''
  AND ($2::text[] IS NULL OR p.queue = ANY ($2::text[]))
  AND NOT EXISTS (SELECT FROM longshore.queue_pause AS q WHERE q.queue = p.queue)
