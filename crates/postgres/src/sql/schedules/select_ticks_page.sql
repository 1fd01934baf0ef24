SELECT schedule, due_at, until_at, ticks, kind, outcome, job_id, decided_at, decided_by, why
FROM longshore.tick
WHERE schedule = $1
  AND ($2::timestamptz IS NULL OR due_at < $2)
  AND ($3::text[] IS NULL OR outcome = ANY ($3))
ORDER BY due_at DESC
LIMIT $4
