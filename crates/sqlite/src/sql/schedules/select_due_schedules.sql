SELECT name, definition, revision, source, created_at, changed_at, settled_until, next_due_at, paused_at, pause_reason,
       waiting, last_job_id
FROM job_schedules
WHERE next_due_at <= ?1 AND (next_due_at, name) > (?2, ?3)
ORDER BY next_due_at, name
LIMIT ?4
