-- Workflows: batches of jobs, and jobs that wait for other jobs, for their batch or for a signal. Every job that a batch or
-- another job has to hear of has `has_story` in the row of its state, so that the end of any other job looks for nothing.

-- The number of a batch. Its id also has the range of this database, which is that of the job ids.
CREATE SEQUENCE longshore.batch_number AS bigint;

CREATE TABLE longshore.batch (
    id bigint PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL,
    -- When it was closed: from then on only its own running members may add members. NULL while it is open.
    closed_at timestamptz,
    -- When it was last found to be over: it is closed, and all of its members have ended.
    ended_at timestamptz,
    -- How many members it has, and how many of them have ended in which way, as far as that was settled.
    members bigint NOT NULL DEFAULT 0,
    completed bigint NOT NULL DEFAULT 0,
    cancelled bigint NOT NULL DEFAULT 0,
    dead_letter bigint NOT NULL DEFAULT 0,
    -- Jobs that wait for it, or for a job that does.
    callbacks bigint NOT NULL DEFAULT 0
);

-- Which batch a job belongs to, and the name that its workflow gave it; of jobs that have one of them.
CREATE TABLE longshore.member (
    id bigint PRIMARY KEY,
    batch_id bigint,
    reference text COLLATE "C",
    role text NOT NULL CHECK (role IN ('member', 'callback')),
    -- The status that the counts of the batch hold of it, as in `ended`. NULL while it has not ended.
    counted smallint
);
CREATE INDEX member_batch ON longshore.member (batch_id, id) WHERE batch_id IS NOT NULL;

-- What a job waits for. It is `blocked` without a parent as long as any of them waits.
CREATE TABLE longshore.dependency (
    id bigint NOT NULL,
    position integer NOT NULL,
    kind text NOT NULL CHECK (kind IN ('job', 'batch', 'signal')),
    -- The job, or the batch of the job itself.
    target_id bigint NOT NULL,
    signal text COLLATE "C",
    reference text COLLATE "C",
    needs text NOT NULL CHECK (needs IN ('completed', 'ended', 'failed')),
    otherwise text NOT NULL CHECK (otherwise IN ('dead_letter', 'cancel', 'run', 'wait')),
    state text NOT NULL CHECK (state IN ('waiting', 'met', 'passed', 'failed')),
    -- How long a signal is waited for.
    timeout_ms bigint,
    -- Until when a signal is waited for, or a job that was retried alone waits for what had failed before.
    timeout_at timestamptz,
    PRIMARY KEY (id, position)
);
CREATE INDEX dependency_target ON longshore.dependency (target_id, kind, id, position);
CREATE INDEX dependency_timeout ON longshore.dependency (timeout_at) WHERE state = 'waiting' AND timeout_at IS NOT NULL;

CREATE TABLE longshore.signal (
    batch_id bigint NOT NULL,
    name text COLLATE "C" NOT NULL,
    data json,
    sent_at timestamptz NOT NULL,
    PRIMARY KEY (batch_id, name)
);

-- What must be looked at, because something of it has changed. A row is a hint: whoever takes it looks at how things are now.
-- With `after_id` those behind that job, or that position, are left.
CREATE SEQUENCE longshore.unsettled_number AS bigint;
CREATE TABLE longshore.unsettled (
    number bigint PRIMARY KEY DEFAULT nextval('longshore.unsettled_number'),
    -- A job, a batch or the signals of a batch, whose dependents are told; a job or a batch whose retry revives those that
    -- were given up because of it; or a job whose own dependencies are looked at.
    kind text NOT NULL CHECK (kind IN ('job', 'batch', 'signal', 'job_revives', 'batch_revives', 'waits')),
    target_id bigint NOT NULL,
    after_id bigint
);

-- Whoever ends a member waits for nobody and changes no count: the batch hears of it after the commit.
CREATE FUNCTION longshore.note_end() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    job bigint = CASE TG_OP WHEN 'DELETE' THEN OLD.id ELSE NEW.id END;
BEGIN
    IF EXISTS (SELECT FROM longshore.member AS m WHERE m.id = job AND m.batch_id IS NOT NULL)
        OR EXISTS (SELECT FROM longshore.dependency AS d WHERE d.target_id = job AND d.kind = 'job')
    THEN
        INSERT INTO longshore.unsettled (kind, target_id) VALUES ('job', job);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER note_end AFTER INSERT ON longshore.ended
    FOR EACH ROW
    WHEN (NEW.has_story)
    EXECUTE FUNCTION longshore.note_end();
-- A job that is retried or deleted.
CREATE TRIGGER note_return AFTER DELETE ON longshore.ended
    FOR EACH ROW
    WHEN (OLD.has_story)
    EXECUTE FUNCTION longshore.note_end();

-- A job with dependencies waits for no single parent: `unmet` says how many of them are open.
ALTER TABLE longshore.blocked ALTER COLUMN parent_job_id DROP NOT NULL;
ALTER TABLE longshore.blocked ADD COLUMN unmet integer;
CREATE INDEX blocked_unmet ON longshore.blocked (id) WHERE unmet IS NOT NULL;

-- The end and every retry of a job are heard of from now on. Waits for whoever moves it at this moment, so that no end is
-- missed. Gives false if there is no such job.
CREATE FUNCTION longshore.watch_job(job bigint) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
DECLARE
    body longshore.job;
    was longshore.ready;
BEGIN
    FOR look IN 1..20 LOOP
        SELECT * INTO body FROM longshore.job AS j WHERE j.id = job;
        IF NOT FOUND THEN
            RETURN false;
        END IF;
        UPDATE longshore.running AS r SET has_story = true WHERE r.id = job;
        IF FOUND THEN
            RETURN true;
        END IF;
        UPDATE longshore.ended AS e SET has_story = true WHERE e.id = job;
        IF FOUND THEN
            RETURN true;
        END IF;
        UPDATE longshore.later AS l SET has_story = true WHERE l.id = job;
        IF FOUND THEN
            RETURN true;
        END IF;
        UPDATE longshore.blocked AS b SET has_story = true WHERE b.id = job;
        IF FOUND THEN
            RETURN true;
        END IF;
        DELETE FROM longshore.ready AS r
        WHERE r.job_type = body.job_type
          AND r.queue = body.queue
          AND r.rank = -GREATEST(body.priority, -2147483647)
          AND r.again IN (false, true)
          AND r.id = job
        RETURNING * INTO was;
        IF FOUND THEN
            -- A claim passes over a locked row, and looks again only at those that came back.
            INSERT INTO longshore.ready (job_type, queue, rank, again, id, ready_at, has_story)
            VALUES (was.job_type, was.queue, was.rank, true, was.id, was.ready_at, true);
            RETURN true;
        END IF;
        -- It moved between two of these statements.
    END LOOP;
    RAISE lock_not_available USING MESSAGE = format('job %s moves all the time; repeat the transaction', job);
END
$$;

-- A new job of this transaction waits for so many dependencies. One that was given up at once stays as it is.
CREATE FUNCTION longshore.block_job(job bigint, unmet integer) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    body longshore.job;
    due_at timestamptz;
BEGIN
    SELECT * INTO STRICT body FROM longshore.job AS j WHERE j.id = job;
    DELETE FROM longshore.later AS l WHERE l.id = job RETURNING l.due_at INTO due_at;
    IF NOT FOUND THEN
        DELETE FROM longshore.ready AS r
        WHERE r.job_type = body.job_type
          AND r.queue = body.queue
          AND r.rank = -GREATEST(body.priority, -2147483647)
          AND r.again IN (false, true)
          AND r.id = job;
        IF NOT FOUND THEN
            RETURN;
        END IF;
    END IF;
    INSERT INTO longshore.blocked (id, queue, due_at, has_story, unmet)
    VALUES (job, body.queue, due_at, true, unmet);
    INSERT INTO longshore.change (queue, pending, blocked) VALUES (body.queue, -1, 1);
END
$$;
