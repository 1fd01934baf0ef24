-- What was changed by hand: who, through what, when, and with what result. An entry is written before the change and
-- completed after it, so that a change whose program died is here, too, without an end.
CREATE TABLE job_audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL CHECK (actor > '' AND actor < x''),
    -- The command line, the API or the dashboard.
    via TEXT NOT NULL CHECK (via > '' AND via < x''),
    action TEXT NOT NULL CHECK (action > '' AND action < x''),
    target TEXT NOT NULL CHECK (target < x''),
    ended_at INTEGER,
    -- How many jobs or other things have changed.
    changed INTEGER,
    error TEXT
);
