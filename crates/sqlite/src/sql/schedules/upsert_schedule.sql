INSERT INTO job_schedules (name, definition, revision, source, created_at, changed_at, settled_until, next_due_at,
                           paused_at, pause_reason, waiting, last_job_id)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
ON CONFLICT (name) DO UPDATE SET
    definition = excluded.definition,
    revision = excluded.revision,
    source = excluded.source,
    created_at = excluded.created_at,
    changed_at = excluded.changed_at,
    settled_until = excluded.settled_until,
    next_due_at = excluded.next_due_at,
    paused_at = excluded.paused_at,
    pause_reason = excluded.pause_reason,
    waiting = excluded.waiting,
    last_job_id = excluded.last_job_id
