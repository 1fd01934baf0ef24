-- Of these types ($1) those with a ready job, and of these queues ($2) those with one of any type of $3. Each look ends at
-- its first row: an EXISTS may read all rows of a type.
SELECT t.job_type AS name, false AS is_queue
FROM unnest($1::text[]) AS t (job_type)
CROSS JOIN LATERAL (
    SELECT
    FROM longshore.ready AS r
    WHERE r.job_type = t.job_type
    ORDER BY r.job_type, r.queue, r.rank, r.again, r.id
    LIMIT 1
) AS x
UNION ALL
SELECT q.queue, true
FROM unnest($2::text[]) AS q (queue)
CROSS JOIN LATERAL (
    SELECT
    FROM unnest($3::text[]) AS t (job_type)
    CROSS JOIN LATERAL (
        SELECT
        FROM longshore.ready AS r
        WHERE r.job_type = t.job_type
          AND r.queue = q.queue
        ORDER BY r.rank, r.again, r.id
        LIMIT 1
    ) AS r
    LIMIT 1
) AS x
