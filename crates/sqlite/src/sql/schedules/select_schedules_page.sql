SELECT name, definition, revision, source, created_at, changed_at, settled_until, next_due_at, paused_at, pause_reason,
       waiting, last_job_id
FROM job_schedules
WHERE name > ?1
ORDER BY name
LIMIT ?2
