-- The claim under which a suspected job runs alone in its process; a death then is surely its own.
ALTER TABLE job_queue ADD COLUMN isolated_claim INTEGER;
-- The worker whose lease ended while the job ran, though nobody saw it die; the crash counts once another one claims it.
ALTER TABLE job_queue ADD COLUMN lapsed_worker_id TEXT;

-- Who does what must be done by one process at a time, such as the comparison of the counts. `term` is the fence.
CREATE TABLE job_duties (
    duty TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    term INTEGER NOT NULL,
    taken_at INTEGER NOT NULL
) WITHOUT ROWID;

-- The type stands first: a claim starts from its worker's own types, goes from queue to queue of each, and never
-- meets a pair of queue and type that it cannot run, however many of them are ready.
DROP INDEX job_queue_ready;
CREATE INDEX job_queue_ready ON job_queue (job_type, queue, priority DESC, id)
    WHERE status = 'pending' AND run_at IS NULL;

-- REPLACE deletes a row without firing a delete trigger (unless recursive_triggers is on). So what a statement may
-- be about to replace is noted before each row, and what has really gone is counted off after it. An insert that is
-- ignored, or becomes an update, fires no trigger after it: what it noted still stands, and the note is dropped before
-- the next row. A note whose job has gone is kept until it is counted off, because triggers may run within each other.
CREATE TABLE job_replaced (
    cause TEXT NOT NULL,
    id INTEGER NOT NULL,
    queue TEXT NOT NULL,
    status TEXT NOT NULL,
    PRIMARY KEY (cause, id)
) WITHOUT ROWID;

CREATE TRIGGER job_queue_inserting BEFORE INSERT ON job_queue
BEGIN
    DELETE FROM job_replaced
    WHERE cause = 'insert' AND EXISTS (SELECT 1 FROM job_queue WHERE id = job_replaced.id);
    INSERT INTO job_replaced (cause, id, queue, status)
    SELECT 'insert', id, queue, status FROM job_queue WHERE id = NEW.id
    UNION
    SELECT 'insert', id, queue, status FROM job_queue
    WHERE unique_key = NEW.unique_key AND status IN ('pending', 'running', 'retrying', 'blocked');
END;

CREATE TRIGGER job_queue_replaced_by_insert AFTER INSERT ON job_queue
WHEN EXISTS (SELECT 1 FROM job_replaced WHERE cause = 'insert')
BEGIN
    DELETE FROM job_replaced
    WHERE cause = 'insert' AND id <> NEW.id AND EXISTS (SELECT 1 FROM job_queue WHERE id = job_replaced.id);
    INSERT INTO job_depths (queue, status, jobs)
    SELECT queue, status, -1 FROM job_replaced WHERE cause = 'insert'
    ON CONFLICT (queue, status) DO UPDATE SET jobs = jobs - 1;
    DELETE FROM job_attempts WHERE job_id IN (SELECT id FROM job_replaced WHERE cause = 'insert');
    DELETE FROM job_logs WHERE job_id IN (SELECT id FROM job_replaced WHERE cause = 'insert');
    DELETE FROM job_replaced WHERE id IN (SELECT id FROM job_replaced WHERE cause = 'insert');
END;

CREATE TRIGGER job_queue_updating BEFORE UPDATE OF id, status, unique_key ON job_queue
WHEN OLD.id <> NEW.id OR NEW.unique_key IS NOT NULL
BEGIN
    DELETE FROM job_replaced
    WHERE (cause = 'update' AND EXISTS (SELECT 1 FROM job_queue WHERE id = job_replaced.id))
       OR (id = OLD.id AND id <> NEW.id);
    INSERT INTO job_replaced (cause, id, queue, status)
    SELECT 'update', id, queue, status FROM job_queue WHERE id = NEW.id AND id <> OLD.id
    UNION
    SELECT 'update', id, queue, status FROM job_queue
    WHERE unique_key = NEW.unique_key AND status IN ('pending', 'running', 'retrying', 'blocked') AND id <> OLD.id;
END;

CREATE TRIGGER job_queue_replaced_by_update AFTER UPDATE OF id, status, unique_key ON job_queue
WHEN (OLD.id <> NEW.id OR NEW.unique_key IS NOT NULL)
    AND EXISTS (SELECT 1 FROM job_replaced WHERE cause = 'update')
BEGIN
    DELETE FROM job_replaced
    WHERE cause = 'update' AND id <> NEW.id AND EXISTS (SELECT 1 FROM job_queue WHERE id = job_replaced.id);
    INSERT INTO job_depths (queue, status, jobs)
    SELECT queue, status, -1 FROM job_replaced WHERE cause = 'update'
    ON CONFLICT (queue, status) DO UPDATE SET jobs = jobs - 1;
    DELETE FROM job_attempts WHERE job_id IN (SELECT id FROM job_replaced WHERE cause = 'update');
    DELETE FROM job_logs WHERE job_id IN (SELECT id FROM job_replaced WHERE cause = 'update');
    DELETE FROM job_replaced WHERE id IN (SELECT id FROM job_replaced WHERE cause = 'update');
END;

-- With recursive_triggers on, REPLACE fires it, and the job is counted off here alone.
DROP TRIGGER job_queue_deleted;
CREATE TRIGGER job_queue_deleted AFTER DELETE ON job_queue
BEGIN
    INSERT INTO job_depths (queue, status, jobs) VALUES (OLD.queue, OLD.status, -1)
    ON CONFLICT (queue, status) DO UPDATE SET jobs = jobs - 1;
    DELETE FROM job_attempts WHERE job_id = OLD.id;
    DELETE FROM job_logs WHERE job_id = OLD.id;
    DELETE FROM job_replaced WHERE id = OLD.id;
END;
