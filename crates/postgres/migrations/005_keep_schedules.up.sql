-- The schedules. The definition is read by programs alone, so a newer one may have fields that an older program does not
-- know; that program passes over it. Names are compared as bytes, so that pages come in the same order everywhere.
CREATE TABLE longshore.schedule (
    name text COLLATE "C" PRIMARY KEY CHECK (name <> ''),
    definition text NOT NULL,
    revision bigint NOT NULL,
    source text NOT NULL CHECK (source IN ('config', 'code', 'manual')),
    created_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    -- All ticks up to this instant are settled.
    settled_until timestamptz NOT NULL,
    -- When it is next settled. NULL if it has no tick any more.
    next_due_at timestamptz,
    paused_at timestamptz,
    -- NULL while the definition itself says that it is paused.
    pause_reason text,
    -- The ticks that wait for the end of the last job: an array of milliseconds. NULL for none.
    waiting text,
    -- The job of the last tick that made one.
    last_job_id bigint
);

-- A scheduler seeks its next work here, however many schedules there are.
CREATE INDEX schedule_due ON longshore.schedule (next_due_at, name) WHERE next_due_at IS NOT NULL;
-- By the first character, which is always the same: without statistics the server takes an equality for rare, and
-- IS NOT NULL for what nearly all rows are.
CREATE INDEX schedule_waiting ON longshore.schedule ("left"(waiting, 1), name) WHERE waiting IS NOT NULL;

-- What became of each tick, also of schedules that were removed. A run of skipped ticks is one row.
CREATE TABLE longshore.tick (
    schedule text COLLATE "C" NOT NULL CHECK (schedule <> ''),
    due_at timestamptz NOT NULL,
    until_at timestamptz,
    ticks bigint NOT NULL DEFAULT 1 CHECK (ticks > 0),
    kind text NOT NULL CHECK (kind IN ('scheduled', 'manual', 'backfill')),
    outcome text NOT NULL,
    job_id bigint,
    decided_at timestamptz NOT NULL,
    decided_by text NOT NULL,
    why text NOT NULL,
    PRIMARY KEY (schedule, due_at)
);

-- For the last tick whose job has completed.
CREATE INDEX tick_with_job ON longshore.tick (schedule, due_at) WHERE job_id IS NOT NULL;
