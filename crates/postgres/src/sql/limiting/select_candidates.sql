-- The first ready jobs of these types ($1, each at most $2) in queues: $3, each at most $4, or all but $5.
WITH RECURSIVE lane AS (
    SELECT t.job_type, t.room, q.queue AS only_queue, COALESCE(q.queue, '') AS queue, -2147483648 AS rank, false AS again
    FROM unnest($1::text[], $2::bigint[]) AS t (job_type, room)
    CROSS JOIN unnest(COALESCE($3::text[], ARRAY[NULL]::text[])) AS q (queue)
    UNION ALL
    SELECT l.job_type, l.room, l.only_queue, n.queue, n.rank, n.again
    FROM lane AS l
    -- The jobs of the same rank that came back. Conditions on single columns: a comparison of rows ends no index scan if
    -- its last column decides.
    LEFT JOIN LATERAL (
        SELECT l.queue, r.rank, true AS again
        FROM ONLY longshore.ready AS r
        WHERE NOT l.again
          AND r.job_type = l.job_type
          AND r.queue = l.queue
          AND r.rank = l.rank
          AND r.again = true
        ORDER BY r.id
        LIMIT 1
    ) AS a ON true
    LEFT JOIN LATERAL (
        SELECT l.queue, r.rank, r.again
        FROM ONLY longshore.ready AS r
        WHERE a.rank IS NULL
          AND r.job_type = l.job_type
          AND r.queue = l.queue
          AND r.rank > l.rank
        ORDER BY r.rank, r.again, r.id
        LIMIT 1
    ) AS b ON true
    LEFT JOIN LATERAL (
        SELECT r.queue, r.rank, r.again
        FROM ONLY longshore.ready AS r
        WHERE a.rank IS NULL
          AND b.rank IS NULL
          AND l.only_queue IS NULL
          AND r.job_type = l.job_type
          AND r.queue > l.queue
        ORDER BY r.queue, r.rank, r.again, r.id
        LIMIT 1
    ) AS c ON true
    CROSS JOIN LATERAL (
        SELECT COALESCE(a.queue, b.queue, c.queue) AS queue,
               COALESCE(a.rank, b.rank, c.rank) AS rank,
               COALESCE(a.again, b.again, c.again) AS again
    ) AS n
    WHERE n.rank IS NOT NULL
)
SELECT l.job_type, l.queue, l.rank, l.again, x.id
FROM lane AS l
CROSS JOIN LATERAL (
    SELECT r.id
    FROM ONLY longshore.ready AS r
    WHERE r.job_type = l.job_type
      AND r.queue = l.queue
      AND r.rank = l.rank
      AND r.again = l.again
    ORDER BY r.id
    LIMIT LEAST(
        l.room,
        (SELECT q.room FROM unnest($3::text[], $4::bigint[]) AS q (queue, room) WHERE q.queue = l.queue)
    )
) AS x
WHERE l.rank > -2147483648
  AND l.queue <> ALL ($5::text[])
  AND NOT EXISTS (SELECT FROM longshore.queue_pause AS p WHERE p.queue = l.queue)
