-- longshore: rebuild
CREATE TABLE job_schedules_rebuilt (
    name TEXT NOT NULL PRIMARY KEY CHECK (name > '' AND name < x''),
    definition TEXT NOT NULL CHECK (json_valid(definition)),
    revision INTEGER NOT NULL,
    source TEXT NOT NULL CHECK (source IN ('config', 'code', 'manual')),
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    -- All ticks up to this instant are settled.
    settled_until INTEGER NOT NULL,
    -- When it is next settled. NULL if it has no tick any more.
    next_due_at INTEGER,
    paused_at INTEGER,
    -- NULL while the definition itself says that it is paused.
    pause_reason TEXT,
    -- The ticks that wait for the end of the last job: an array of milliseconds. NULL for none.
    waiting TEXT CHECK (json_valid(waiting)),
    -- The job of the last tick that made one.
    last_job_id INTEGER
);

INSERT INTO job_schedules_rebuilt (
    name, definition, revision, source, created_at, changed_at, settled_until, next_due_at, paused_at, pause_reason,
    waiting, last_job_id
)
SELECT
    name, definition, revision, source, created_at, changed_at, settled_until, next_due_at, paused_at, pause_reason,
    waiting, last_job_id
FROM job_schedules
ORDER BY name;

DROP TABLE job_schedules;
ALTER TABLE job_schedules_rebuilt RENAME TO job_schedules;
