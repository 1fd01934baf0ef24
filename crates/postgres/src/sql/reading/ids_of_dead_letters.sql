SELECT id
FROM longshore.ended
WHERE status = 3
  AND ($4::text[] IS NULL OR queue = ANY($4))
  AND ($3::text[] IS NULL OR EXISTS (
      SELECT 1 FROM longshore.job AS j WHERE j.id = ended.id AND j.job_type = ANY($3)
  ))
