SELECT name, definition, revision, source, created_at, changed_at, settled_until, next_due_at, paused_at, pause_reason,
       waiting, last_job_id
FROM longshore.schedule
WHERE name = ANY ($1)
  AND name > $2
ORDER BY name
LIMIT $3
