-- Of these types ($1) those without a ready job outside of lanes, and of these queues ($2) those without one of any type of
-- $3: nothing can start there, so their limits need not be counted. Each look ends at its first row.
SELECT t.job_type AS name, false AS is_queue
FROM unnest($1::text[]) AS t (job_type)
LEFT JOIN LATERAL (
    SELECT true AS has_any
    FROM ONLY longshore.ready AS r
    WHERE r.job_type = t.job_type
    ORDER BY r.job_type, r.queue, r.rank, r.again, r.id
    LIMIT 1
) AS x ON true
WHERE x.has_any IS NULL
UNION ALL
SELECT q.queue, true
FROM unnest($2::text[]) AS q (queue)
LEFT JOIN LATERAL (
    SELECT true AS has_any
    FROM unnest($3::text[]) AS t (job_type)
    CROSS JOIN LATERAL (
        SELECT
        FROM ONLY longshore.ready AS r
        WHERE r.job_type = t.job_type
          AND r.queue = q.queue
        ORDER BY r.rank, r.again, r.id
        LIMIT 1
    ) AS r
    LIMIT 1
) AS x ON true
WHERE x.has_any IS NULL
