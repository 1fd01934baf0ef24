-- Of these types ($1), whose keys take turns, and of $2, whose keys do not any more, those with jobs in the wrong place.
-- Each look ends at its first row: an EXISTS may become a hash of all rows.
SELECT t.job_type, true AS is_keyed
FROM unnest($1::text[]) AS t (job_type)
CROSS JOIN LATERAL (
    (
        SELECT
        FROM ONLY longshore.ready AS r
        WHERE r.job_type = t.job_type
        ORDER BY r.job_type, r.queue, r.rank, r.again, r.id
        LIMIT 1
    )
    UNION ALL
    (
        SELECT
        FROM longshore.lane AS l
        WHERE l.job_type = t.job_type
          AND l.is_stale
          AND l.is_waiting
        ORDER BY l.job_type, l.lane
        LIMIT 1
    )
    LIMIT 1
) AS x
UNION ALL
SELECT t.job_type, false
FROM unnest($2::text[]) AS t (job_type)
CROSS JOIN LATERAL (
    SELECT
    FROM longshore.lane AS l
    WHERE l.job_type = t.job_type
      AND l.is_stale
      AND l.is_waiting
    ORDER BY l.job_type, l.lane
    LIMIT 1
) AS x
