-- What limits hold: those of types ($1, NULL for all) and queues ($2). Waiting jobs are counted up to $3. The order of the
-- index ends each count at its limit: without it all of them may be looked up first.
SELECT l.scope, l.name, l.configured, l.manual, l.arrival, l.closed_until, counted.running, waiting.jobs AS waiting
FROM longshore.job_limit AS l
CROSS JOIN LATERAL (
    SELECT count(*) AS running
    FROM (
        SELECT r.id
        FROM longshore.running AS r
        WHERE l.scope = 2
          AND r.is_counted
          AND r.job_type = l.name
          AND r.claim_number >= l.counted_from
        UNION ALL
        SELECT r.id
        FROM longshore.running AS r
        WHERE l.scope = 1
          AND r.is_counted
          AND r.queue = l.name
          AND r.claim_number >= l.counted_from
    ) AS r
) AS counted
CROSS JOIN LATERAL (
    -- Ready jobs have no index by queue: one range for each type that has some.
    WITH RECURSIVE kind AS (
        SELECT '' AS job_type
        WHERE l.scope = 1
        UNION ALL
        SELECT n.job_type
        FROM kind AS k
        CROSS JOIN LATERAL (
            SELECT r.job_type
            FROM longshore.ready AS r
            WHERE r.job_type > k.job_type
            ORDER BY r.job_type
            LIMIT 1
        ) AS n
    )
    SELECT count(*) AS jobs
    FROM (
        (
            SELECT
            FROM longshore.ready AS r
            WHERE l.scope = 2
              AND r.job_type = l.name
            ORDER BY r.job_type, r.queue, r.rank, r.again, r.id
            LIMIT $3
        )
        UNION ALL
        (
            SELECT
            FROM kind AS k
            CROSS JOIN LATERAL (
                SELECT
                FROM longshore.ready AS r
                WHERE r.job_type = k.job_type
                  AND r.queue = l.name
                ORDER BY r.rank, r.again, r.id
                LIMIT $3
            ) AS x
            LIMIT $3
        )
    ) AS r
) AS waiting
WHERE ($1::text[] IS NULL OR l.scope <> 2 OR l.name = ANY ($1::text[]))
  AND ($2::text[] IS NULL OR l.scope <> 1 OR l.name = ANY ($2::text[]))
ORDER BY l.scope, l.name COLLATE "C"
