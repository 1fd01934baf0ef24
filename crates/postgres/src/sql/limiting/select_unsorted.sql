-- Of these types ($1), whose keys take turns, and of $2, whose keys do not any more, those with jobs in the wrong place.
SELECT t.job_type, true AS is_keyed
FROM unnest($1::text[]) AS t (job_type)
WHERE EXISTS (SELECT FROM ONLY longshore.ready AS r WHERE r.job_type = t.job_type)
   OR EXISTS (SELECT FROM longshore.lane AS l WHERE l.job_type = t.job_type AND l.is_stale AND l.is_waiting)
UNION ALL
SELECT t.job_type, false
FROM unnest($2::text[]) AS t (job_type)
WHERE EXISTS (SELECT FROM longshore.lane AS l WHERE l.job_type = t.job_type AND l.is_stale AND l.is_waiting)
