-- Jobs that were inserted before their type was registered, and whose type is registered now. It starts from the
-- registered types, so jobs of other types cost nothing, however many there are.
SELECT j.id
FROM longshore.type_settings AS s
CROSS JOIN LATERAL (
    SELECT id
    FROM longshore.job
    WHERE job_type = s.job_type
      AND awaits_settings IS NOT NULL
    ORDER BY id
    LIMIT $1
) AS j
LIMIT $1
