-- When the first closed lane of these types ($1) gives again, and whether there is one whose places are all taken.
SELECT min(x.opens_at) AS opens_at, COALESCE(bool_or(f.is_full), false) AS has_full
FROM unnest($1::text[]) AS t (job_type)
LEFT JOIN LATERAL (
    SELECT l.opens_at
    FROM longshore.lane AS l
    WHERE l.job_type = t.job_type
      AND l.opens_at IS NOT NULL
    ORDER BY l.opens_at
    LIMIT 1
) AS x ON true
LEFT JOIN LATERAL (
    SELECT l.is_full
    FROM longshore.lane AS l
    WHERE l.job_type = t.job_type
      AND l.is_full
    ORDER BY l.job_type, l.queue
    LIMIT 1
) AS f ON true
