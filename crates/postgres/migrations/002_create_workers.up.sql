-- Every worker that there was, by the number that the rows of its jobs have: four bytes in place of a name.
CREATE TABLE longshore.worker_name (
    worker integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    worker_id text NOT NULL UNIQUE
);

-- The registered workers.
CREATE TABLE longshore.worker (
    worker integer PRIMARY KEY,
    host text NOT NULL,
    pid integer NOT NULL,
    started_at timestamptz NOT NULL,
    heartbeat_at timestamptz NOT NULL,
    heartbeat_number bigint NOT NULL DEFAULT 0,
    lease_ms bigint NOT NULL,
    queues text[] NOT NULL,
    job_types text[] NOT NULL,
    concurrency integer NOT NULL,
    -- Grows with each write by which an observer makes sure that the worker could have written, too.
    suspicion_count bigint NOT NULL DEFAULT 0,
    -- New with each registration: the key of the advisory lock that its session holds, if it holds one.
    session_key bigint NOT NULL,
    -- The run of the server in which that lock was taken. NULL if there is no lock: then its lease alone decides.
    server_run bigint,
    -- It ended without retiring while its process lived on: its jobs are given back, and nothing is spent.
    is_given_up boolean NOT NULL DEFAULT false
-- A heartbeat updates no indexed column, and with room in its page it touches no index.
) WITH (fillfactor = 50);

-- Whether an advisory lock that is free now was ever given up: all of them go at once when the server loses its shared
-- memory, and that says nothing about the workers. An orderly restart changes the time at which the server started. A
-- crash, of the machine or of one of its processes, and a fail-over empty this table, because it is not logged.
CREATE UNLOGGED TABLE longshore.server_run (
    started_at timestamptz PRIMARY KEY,
    run bigint NOT NULL
);

CREATE SEQUENCE longshore.claim_number AS bigint;

-- One row a claim, for as long as a job of it may run: how the jobs of a worker are found, and how a claim whose answer
-- was lost gives the same leases again.
CREATE TABLE longshore.claim (
    claim_number bigint PRIMARY KEY,
    worker integer NOT NULL,
    request_id bigint NOT NULL,
    ids bigint[] NOT NULL
);
CREATE INDEX claim_worker ON longshore.claim (worker, claim_number);

-- The attempts that have begun, a row for each call that noted some. A later note replaces an earlier one of its slot.
CREATE TABLE longshore.started (
    note bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    worker integer NOT NULL,
    slots integer[] NOT NULL,
    ids bigint[] NOT NULL,
    claim_numbers bigint[] NOT NULL,
    are_accompanied boolean[] NOT NULL
);
CREATE INDEX started_worker ON longshore.started (worker, note);

-- Who does what one process at a time must do. `term` is the fence.
CREATE TABLE longshore.duty (
    duty text PRIMARY KEY,
    holder text NOT NULL,
    term bigint NOT NULL,
    taken_at timestamptz NOT NULL
);

-- Ended jobs up to this id were there before there was a default retention, such as those of a queue that was moved here.
CREATE TABLE longshore.history (
    last_id bigint NOT NULL
);
INSERT INTO longshore.history (last_id) VALUES (0);
