SELECT id
FROM longshore.later
WHERE is_retry
  AND ($3::text[] IS NULL OR job_type = ANY($3))
  AND ($4::text[] IS NULL OR queue = ANY($4))
