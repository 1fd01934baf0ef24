-- A job is one row of `job`, which attempts never change, and exactly one row in the table of its state: `ready`, `later`,
-- `blocked`, `running` or `ended`. A move deletes from one of them and inserts into another, so that of two who move the
-- same job one finds nothing to delete. Rows of the state tables are narrow, because old versions of them stay for as
-- long as any transaction might see them.

-- The tables that keep the history, `job`, `ended`, `attempt` and `log_chunk`, are divided by ranges of ids, with the same
-- bounds in each. Ids grow with time, so that old jobs are removed by dropping partitions. Housekeeping makes them while
-- they are still empty, and rewrites an old one when few jobs of it are left. The last two have room for every id, so that
-- no INSERT ever fails for want of a partition. A partition has no name that matters.

-- The one place that reads the time. Milliseconds, because that is what a job's instants have everywhere.
CREATE FUNCTION longshore.now() RETURNS timestamptz
    LANGUAGE sql VOLATILE
    AS $$ SELECT date_trunc('milliseconds', clock_timestamp()) $$;

CREATE SEQUENCE longshore.job_id AS bigint MAXVALUE 9007199254740991;

-- NULL means the default wherever a column may be NULL, because it costs no byte.
CREATE TABLE longshore.job (
    id bigint NOT NULL DEFAULT nextval('longshore.job_id'),
    job_type text NOT NULL CHECK (job_type <> ''),
    queue text NOT NULL CHECK (queue <> ''),
    priority integer NOT NULL,
    job_data json NOT NULL,
    created_at timestamptz NOT NULL,
    -- The time that the enqueue or an edit asked for. NULL means at once.
    run_at timestamptz,
    max_retries integer CHECK (max_retries >= 0),
    max_crashes integer CHECK (max_crashes >= 0),
    max_deferrals integer CHECK (max_deferrals >= 0),
    timeout_ms bigint CHECK (timeout_ms > 0),
    expires_at timestamptz,
    deadline_at timestamptz,
    unique_key text,
    parent_job_id bigint,
    metadata json,
    log_file_path text,
    -- What an INSERT left to the settings of a type that nobody had registered: 1 the queue, 2 the priority, 3 both,
    -- 0 neither, but perhaps the retries or the timeout. NULL if nothing is left to do.
    awaits_settings smallint,
    PRIMARY KEY (id)
) PARTITION BY RANGE (id);
COMMENT ON TABLE longshore.job IS 'Its partitions are made and dropped at run time.';
CREATE TABLE longshore.job_min_1000000 PARTITION OF longshore.job FOR VALUES FROM (MINVALUE) TO (1000000);
CREATE TABLE longshore.job_1000000_1000000000 PARTITION OF longshore.job FOR VALUES FROM (1000000) TO (1000000000);
CREATE TABLE longshore.job_1000000000_max PARTITION OF longshore.job FOR VALUES FROM (1000000000) TO (MAXVALUE);
-- The place of a job among the ready ones of its type and queue. A function with a snapshot of its own: a statement that
-- waited for the row of a state sees the priority that was committed meanwhile.
CREATE FUNCTION longshore.rank_of(job bigint) RETURNS integer
    LANGUAGE plpgsql VOLATILE
    AS $$
BEGIN
    -- The lowest priority has no negation.
    RETURN (SELECT -GREATEST(j.priority, -2147483647) FROM longshore.job AS j WHERE j.id = job);
END
$$;
CREATE INDEX job_parent ON longshore.job (parent_job_id) WHERE parent_job_id IS NOT NULL;
CREATE INDEX job_awaits_settings ON longshore.job (job_type, id) WHERE awaits_settings IS NOT NULL;

-- Until when jobs may wait, so that those whose time has passed are found without a look at all others. A row may stay
-- for longer than its job waits: whoever looks removes it when its time has passed.
CREATE TABLE longshore.time_limit (
    overdue_at timestamptz NOT NULL,
    id bigint NOT NULL,
    PRIMARY KEY (overdue_at, id)
);
CREATE FUNCTION longshore.keep_time_limit() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO longshore.time_limit (overdue_at, id)
    VALUES (LEAST(NEW.expires_at, NEW.deadline_at), NEW.id)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
CREATE TRIGGER keep_time_limit AFTER INSERT OR UPDATE OF expires_at, deadline_at ON longshore.job
    FOR EACH ROW
    WHEN (NEW.expires_at IS NOT NULL OR NEW.deadline_at IS NOT NULL)
    EXECUTE FUNCTION longshore.keep_time_limit();

-- What happened to a job that did not simply run once and succeed: what it has spent, its last failure, its progress.
-- Others have no such row, and `has_story` in the table of their state says so without a look.
CREATE TABLE longshore.story (
    id bigint PRIMARY KEY,
    retry_count integer NOT NULL DEFAULT 0,
    crash_count integer NOT NULL DEFAULT 0,
    deferral_count integer NOT NULL DEFAULT 0,
    claim_number bigint,
    worker integer,
    started_at timestamptz,
    failure_type text,
    error_message text,
    last_error_traceback text,
    -- Of the attempt with `claim_number`: the next attempt begins without any.
    progress double precision,
    progress_message text,
    -- The claim under which a suspect runs alone in its process.
    isolated_claim bigint,
    -- The worker whose lease ended while the job ran, though nobody saw it die.
    lapsed_worker integer
);

-- What can be claimed now. Rank is the negated priority, and the highest rank for the lowest one, which has no negation:
-- -GREATEST(priority, -2147483647). `again` rows came back or came due, so their ids may be lower than those that have
-- been claimed; for the others a reader may remember where it was.
CREATE TABLE longshore.ready (
    job_type text NOT NULL,
    queue text NOT NULL,
    rank integer NOT NULL,
    again boolean NOT NULL,
    id bigint NOT NULL,
    ready_at timestamptz NOT NULL,
    has_story boolean,
    PRIMARY KEY (job_type, queue, rank, again, id)
);

-- What becomes ready at an instant: delayed jobs, and those that are retried.
CREATE TABLE longshore.later (
    id bigint PRIMARY KEY,
    job_type text NOT NULL,
    queue text NOT NULL,
    due_at timestamptz NOT NULL,
    is_retry boolean NOT NULL,
    has_story boolean
);
CREATE INDEX later_due ON longshore.later (due_at, id);
CREATE INDEX later_retry ON longshore.later (id) WHERE is_retry;

-- What waits for its parent; then it is due at `due_at`, or at once.
CREATE TABLE longshore.blocked (
    id bigint PRIMARY KEY,
    parent_job_id bigint NOT NULL,
    queue text NOT NULL,
    due_at timestamptz,
    -- Since when it waits only for its parent, if a person retried it or changed its time. NULL means since it was made.
    ready_at timestamptz,
    has_story boolean
);
CREATE INDEX blocked_parent ON longshore.blocked (parent_job_id, id);
-- A child whose parent had not ended when it was enqueued, and perhaps ended before the enqueue was committed.
CREATE TABLE longshore.blocked_unchecked (
    id bigint NOT NULL
);

-- What a worker holds. The claim number and the worker are the fence.
CREATE TABLE longshore.running (
    id bigint PRIMARY KEY,
    claim_number bigint NOT NULL,
    worker integer NOT NULL,
    job_type text NOT NULL,
    queue text NOT NULL,
    started_at timestamptz NOT NULL,
    ready_at timestamptz NOT NULL,
    cancel_requested_at timestamptz,
    has_story boolean
);

-- What has ended. Status: 1 completed, 2 cancelled, 3 dead letter.
CREATE TABLE longshore.ended (
    id bigint PRIMARY KEY,
    status smallint NOT NULL CHECK (status BETWEEN 1 AND 3),
    queue text NOT NULL,
    ended_at timestamptz NOT NULL,
    -- When it could have been claimed last. NULL means `run_at`, or `created_at` without that.
    ready_at timestamptz,
    -- NULL if it never ran.
    started_at timestamptz,
    claim_number bigint,
    worker integer,
    has_story boolean,
    cancel_requested_at timestamptz,
    result json,
    -- A code, a colon and a sentence: why it is a dead letter, or that it expired.
    reason text
) PARTITION BY RANGE (id);
COMMENT ON TABLE longshore.ended IS 'Its partitions are made and dropped at run time.';
CREATE TABLE longshore.ended_min_1000000 PARTITION OF longshore.ended FOR VALUES FROM (MINVALUE) TO (1000000);
CREATE TABLE longshore.ended_1000000_1000000000 PARTITION OF longshore.ended FOR VALUES FROM (1000000) TO (1000000000);
CREATE TABLE longshore.ended_1000000000_max PARTITION OF longshore.ended FOR VALUES FROM (1000000000) TO (MAXVALUE);
CREATE INDEX ended_dead_letter ON longshore.ended (id) WHERE status = 3;
CREATE INDEX ended_cancelled ON longshore.ended (id) WHERE status = 2;

-- The keys of jobs that have not ended. A running job that passed its key on to another job, which waits behind it, has
-- a row with the key, char(31) and its id: so the jobs of a key are a range of this table, and a job that ends deletes
-- its row by its id, whatever the key is now.
CREATE TABLE longshore.unique_key (
    unique_key text COLLATE "C" PRIMARY KEY,
    id bigint NOT NULL UNIQUE
);

-- Every attempt but those that `running` and `ended` show: a first attempt that succeeded has no row here.
CREATE TABLE longshore.attempt (
    id bigint NOT NULL,
    claim_number bigint NOT NULL,
    attempt integer NOT NULL,
    worker integer,
    started_at timestamptz,
    finished_at timestamptz NOT NULL,
    outcome text NOT NULL,
    failure_type text,
    error_message text,
    traceback text,
    PRIMARY KEY (id, claim_number)
) PARTITION BY RANGE (id);
COMMENT ON TABLE longshore.attempt IS 'Its partitions are made and dropped at run time.';
CREATE TABLE longshore.attempt_min_1000000 PARTITION OF longshore.attempt FOR VALUES FROM (MINVALUE) TO (1000000);
CREATE TABLE longshore.attempt_1000000_1000000000 PARTITION OF longshore.attempt FOR VALUES FROM (1000000) TO (1000000000);
CREATE TABLE longshore.attempt_1000000000_max PARTITION OF longshore.attempt FOR VALUES FROM (1000000000) TO (MAXVALUE);

CREATE TABLE longshore.log_chunk (
    id bigint NOT NULL,
    claim_number bigint NOT NULL,
    chunk_number integer NOT NULL,
    attempt integer NOT NULL,
    written_at timestamptz NOT NULL,
    cut_bytes bigint NOT NULL DEFAULT 0,
    text text NOT NULL,
    PRIMARY KEY (id, claim_number, chunk_number)
) PARTITION BY RANGE (id);
COMMENT ON TABLE longshore.log_chunk IS 'Its partitions are made and dropped at run time.';
CREATE TABLE longshore.log_chunk_min_1000000 PARTITION OF longshore.log_chunk FOR VALUES FROM (MINVALUE) TO (1000000);
CREATE TABLE longshore.log_chunk_1000000_1000000000 PARTITION OF longshore.log_chunk FOR VALUES FROM (1000000) TO (1000000000);
CREATE TABLE longshore.log_chunk_1000000000_max PARTITION OF longshore.log_chunk FOR VALUES FROM (1000000000) TO (MAXVALUE);

CREATE TABLE longshore.queue_pause (
    queue text PRIMARY KEY,
    paused_at timestamptz NOT NULL
);

-- Counts by queue, and what ended in each minute. A transaction never updates them, because it would wait for every other
-- one that counts in the same queue: it appends what it changed to `change`, and housekeeping adds that up.
CREATE TABLE longshore.depth (
    queue text PRIMARY KEY,
    pending bigint NOT NULL DEFAULT 0,
    running bigint NOT NULL DEFAULT 0,
    retrying bigint NOT NULL DEFAULT 0,
    blocked bigint NOT NULL DEFAULT 0,
    completed bigint NOT NULL DEFAULT 0,
    cancelled bigint NOT NULL DEFAULT 0,
    dead_letter bigint NOT NULL DEFAULT 0
);
CREATE TABLE longshore.minute (
    minute timestamptz NOT NULL,
    queue text NOT NULL,
    completed bigint NOT NULL DEFAULT 0,
    failed bigint NOT NULL DEFAULT 0,
    retried bigint NOT NULL DEFAULT 0,
    cancelled bigint NOT NULL DEFAULT 0,
    waited_ms bigint NOT NULL DEFAULT 0,
    ran_ms bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (minute, queue)
);
-- A row has changes of the depths, and with `minute` also of that minute. NULL is no change.
CREATE TABLE longshore.change (
    queue text NOT NULL,
    pending integer,
    running integer,
    retrying integer,
    blocked integer,
    completed integer,
    cancelled integer,
    dead_letter integer,
    minute timestamptz,
    minute_completed integer,
    minute_failed integer,
    minute_retried integer,
    minute_cancelled integer,
    waited_ms bigint,
    ran_ms bigint
);

-- The settings of each type, from its last registration. NULL means the built-in default.
CREATE TABLE longshore.type_settings (
    job_type text PRIMARY KEY,
    queue text,
    priority integer,
    max_retries integer,
    timeout_ms bigint
);
