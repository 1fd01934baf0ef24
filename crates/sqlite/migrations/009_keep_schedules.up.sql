-- The schedules. The definition is read by programs alone, so a newer one may have fields that an older program does not
-- know; that program passes over it.
CREATE TABLE job_schedules (
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

-- A scheduler seeks its next work here, however many schedules there are.
CREATE INDEX job_schedules_due ON job_schedules (next_due_at, name) WHERE next_due_at IS NOT NULL;
CREATE INDEX job_schedules_waiting ON job_schedules (name) WHERE waiting IS NOT NULL;

-- What became of each tick, also of schedules that were removed. A run of skipped ticks is one row.
CREATE TABLE job_ticks (
    schedule TEXT NOT NULL CHECK (schedule > '' AND schedule < x''),
    due_at INTEGER NOT NULL,
    until_at INTEGER,
    ticks INTEGER NOT NULL DEFAULT 1 CHECK (ticks > 0),
    kind TEXT NOT NULL CHECK (kind IN ('scheduled', 'manual', 'backfill')),
    outcome TEXT NOT NULL,
    job_id INTEGER,
    decided_at INTEGER NOT NULL,
    decided_by TEXT NOT NULL,
    why TEXT NOT NULL,
    PRIMARY KEY (schedule, due_at)
) WITHOUT ROWID;

-- For the last tick whose job has completed.
CREATE INDEX job_ticks_with_job ON job_ticks (schedule, due_at) WHERE job_id IS NOT NULL;
