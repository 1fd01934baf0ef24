-- The claim under which a suspected job runs alone in its process; a death then is surely its own.
ALTER TABLE job_queue ADD COLUMN isolated_claim INTEGER;
-- The worker whose lease ended while the job ran, though nobody saw it die; the crash counts once another one claims it.
ALTER TABLE job_queue ADD COLUMN lapsed_worker_id TEXT;

-- Who does what must be done by one process at a time, such as the comparison of the counts. `term` is the fence.
CREATE TABLE job_duties (
    duty TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    term INTEGER NOT NULL CHECK (typeof(term) = 'integer'),
    taken_at INTEGER NOT NULL
) WITHOUT ROWID;

-- Which boot of the machine the worker began under, and which file shows that it lives: another boot proves its death,
-- and another file in that place proves nothing.
ALTER TABLE job_workers ADD COLUMN boot_id TEXT;
ALTER TABLE job_workers ADD COLUMN file_id INTEGER;
-- Grows with each write by which an observer makes sure that the worker could have written, too.
ALTER TABLE job_workers ADD COLUMN suspicion_count INTEGER NOT NULL DEFAULT 0;

-- The jobs that wait for another one, by that one.
CREATE INDEX job_queue_blocked ON job_queue (parent_job_id, id)
    WHERE status = 'blocked';
-- Rows that no claim, no instant and no reclaim would ever move on, as another program can write them: empty unless
-- one did, so that looking for them costs nothing. The claim number must have room for one more claim, and an
-- ended job an instant by which it can be removed. Every write of a job pays for the condition, which is why
-- it calls no typeof(): only an integer equals itself after | 0, and only text sorts from '' to before every blob.
CREATE INDEX job_queue_stuck ON job_queue (id)
    WHERE CASE
              WHEN status = 'pending' AND claim_number & 9223372036854775807 = claim_number
                  AND claim_number <> 9223372036854775807 AND (run_at IS NULL OR run_at | 0 = run_at) THEN 0
              WHEN status = 'running' AND claim_number | 0 = claim_number
                  AND worker_id > '' AND worker_id < x'' THEN 0
              WHEN status = 'completed' AND completed_at | 0 = completed_at THEN 0
              WHEN status = 'dead_letter' THEN 0
              WHEN status = 'retrying' AND run_at | 0 = run_at AND claim_number | 0 = claim_number THEN 0
              WHEN status = 'cancelled' AND completed_at | 0 = completed_at THEN 0
              WHEN status = 'blocked' AND parent_job_id | 0 = parent_job_id THEN 0
              ELSE 1
          END;

-- The triggers below are for plain SQL from any program. What could never go on is refused; a job whose parent ends
-- or goes is moved as the engine would move it. The engine's own connection has triggers off.
CREATE TRIGGER job_queue_guards_insert AFTER INSERT ON job_queue
BEGIN
    SELECT RAISE(ABORT, 'the id of a job must be from 1 to 9007199254740991')
    WHERE NEW.id NOT BETWEEN 1 AND 9007199254740991;
    SELECT RAISE(ABORT, 'claim_number must be a whole number from 0 on')
    WHERE typeof(NEW.claim_number) <> 'integer' OR NEW.claim_number NOT BETWEEN 0 AND 4611686018427387904;
    SELECT RAISE(ABORT, 'queue and job_type must be text in UTF-8')
    WHERE NEW.queue LIKE '%' || char(65533) || '%' OR NEW.job_type LIKE '%' || char(65533) || '%';
    SELECT RAISE(ABORT, 'only a claim makes a job run')
    WHERE NEW.status = 'running' AND EXISTS (SELECT 1 FROM job_workers WHERE worker_id = NEW.worker_id);
    SELECT RAISE(ABORT, 'parent_job_id must name a job that was made before')
    WHERE NEW.parent_job_id IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM job_queue WHERE id = NEW.parent_job_id AND id < NEW.id);
END;

CREATE TRIGGER job_queue_guards_names BEFORE UPDATE OF queue, job_type ON job_queue
BEGIN
    SELECT RAISE(ABORT, 'queue and job_type must be text in UTF-8')
    WHERE NEW.queue LIKE '%' || char(65533) || '%' OR NEW.job_type LIKE '%' || char(65533) || '%';
END;

CREATE TRIGGER job_queue_guards_id BEFORE UPDATE OF id ON job_queue
WHEN NEW.id IS NOT OLD.id
BEGIN
    SELECT RAISE(ABORT, 'the id of a job never changes');
END;

-- The outcome of a running job names worker and claim: with others in its row it would never end.
CREATE TRIGGER job_queue_guards_claim BEFORE UPDATE OF claim_number, worker_id, status ON job_queue
WHEN NEW.claim_number IS NOT OLD.claim_number OR NEW.status = 'running'
BEGIN
    SELECT RAISE(ABORT, 'claim_number only grows, and not while the job runs')
    WHERE NEW.claim_number IS NOT OLD.claim_number
      AND (OLD.status = 'running' OR typeof(NEW.claim_number) <> 'integer'
           OR NEW.claim_number NOT BETWEEN OLD.claim_number AND 4611686018427387904);
    SELECT RAISE(ABORT, 'a job that has ended does not run again; retry it')
    WHERE NEW.status = 'running' AND OLD.status IN ('completed', 'cancelled', 'dead_letter');
    SELECT RAISE(ABORT, 'only a claim makes a job run')
    WHERE NEW.status = 'running' AND (OLD.status <> 'running' OR NEW.worker_id IS NOT OLD.worker_id)
      AND EXISTS (SELECT 1 FROM job_workers WHERE worker_id = NEW.worker_id);
END;

CREATE TRIGGER job_queue_guards_parent BEFORE UPDATE OF parent_job_id ON job_queue
WHEN NEW.parent_job_id IS NOT NULL AND NEW.parent_job_id IS NOT OLD.parent_job_id
BEGIN
    SELECT RAISE(ABORT, 'parent_job_id must name a job that was made before')
    WHERE NOT EXISTS (SELECT 1 FROM job_queue WHERE id = NEW.parent_job_id AND id < NEW.id);
END;

-- A retrying job is found by its run_at alone.
CREATE TRIGGER job_queue_retries_in_time AFTER UPDATE OF status, run_at, next_retry_at ON job_queue
WHEN NEW.status = 'retrying' AND NEW.run_at IS NULL
BEGIN
    UPDATE job_queue
    SET run_at = CASE typeof(next_retry_at) WHEN 'integer' THEN next_retry_at
                 ELSE CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) END
    WHERE id = NEW.id;
END;

CREATE TRIGGER job_queue_inserted_retrying AFTER INSERT ON job_queue
WHEN NEW.status = 'retrying' AND NEW.run_at IS NULL
BEGIN
    UPDATE job_queue
    SET run_at = CASE typeof(next_retry_at) WHEN 'integer' THEN next_retry_at
                 ELSE CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) END
    WHERE id = NEW.id;
END;

-- A blocked job may come to wait for a parent that has ended already.
CREATE TRIGGER job_queue_inserted_blocked AFTER INSERT ON job_queue
WHEN NEW.status = 'blocked'
BEGIN
    UPDATE job_queue
    SET status = 'pending',
        ready_at = CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)
    WHERE id = NEW.id
      AND EXISTS (SELECT 1 FROM job_queue AS parent WHERE parent.id = NEW.parent_job_id AND parent.status = 'completed');
    UPDATE job_queue
    SET status = 'dead_letter',
        completed_at = CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER),
        moved_to_dead_letter_at = CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER),
        dead_letter_reason = 'parent_ended: its parent job ' || NEW.parent_job_id || ' had not completed'
    WHERE id = NEW.id
      AND EXISTS (SELECT 1 FROM job_queue AS parent WHERE parent.id = NEW.parent_job_id AND parent.status IN ('cancelled', 'dead_letter'));
END;

CREATE TRIGGER job_queue_moved_to_blocked AFTER UPDATE OF status, parent_job_id ON job_queue
WHEN NEW.status = 'blocked'
BEGIN
    UPDATE job_queue
    SET status = 'pending',
        ready_at = CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)
    WHERE id = NEW.id
      AND EXISTS (SELECT 1 FROM job_queue AS parent WHERE parent.id = NEW.parent_job_id AND parent.status = 'completed');
    UPDATE job_queue
    SET status = 'dead_letter',
        completed_at = CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER),
        moved_to_dead_letter_at = CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER),
        dead_letter_reason = 'parent_ended: its parent job ' || NEW.parent_job_id || ' had not completed'
    WHERE id = NEW.id
      AND EXISTS (SELECT 1 FROM job_queue AS parent WHERE parent.id = NEW.parent_job_id AND parent.status IN ('cancelled', 'dead_letter'));
END;

CREATE TRIGGER job_queue_completed AFTER UPDATE OF status ON job_queue
WHEN NEW.status = 'completed' AND OLD.status <> 'completed'
BEGIN
    UPDATE job_queue
    SET status = 'pending',
        ready_at = CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)
    WHERE parent_job_id = NEW.id
      AND status = 'blocked';
END;

-- A trigger does not fire itself, so one statement gives up all who wait, whichever way.
CREATE TRIGGER job_queue_given_up AFTER UPDATE OF status ON job_queue
WHEN NEW.status IN ('cancelled', 'dead_letter') AND OLD.status NOT IN ('cancelled', 'dead_letter')
BEGIN
    UPDATE job_queue
    SET status = 'dead_letter',
        completed_at = CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER),
        moved_to_dead_letter_at = CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER),
        dead_letter_reason = 'parent_ended: its parent job ' || parent_job_id || ' ended as '
            || CASE parent_job_id WHEN NEW.id THEN NEW.status ELSE 'dead_letter' END
    WHERE id IN (
        WITH RECURSIVE kin (id) AS (
            SELECT id FROM job_queue WHERE parent_job_id = NEW.id AND status = 'blocked'
            UNION
            SELECT child.id FROM kin JOIN job_queue AS child ON child.parent_job_id = kin.id WHERE child.status = 'blocked'
        )
        SELECT id FROM kin
    );
END;

-- Before the job goes, because a foreign key would take the parent from a blocked job, which must have one.
CREATE TRIGGER job_queue_leaves_its_children BEFORE DELETE ON job_queue
BEGIN
    UPDATE job_queue
    SET status = 'dead_letter',
        completed_at = CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER),
        moved_to_dead_letter_at = CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER),
        dead_letter_reason = 'parent_ended: its parent job ' || parent_job_id
            || CASE parent_job_id WHEN OLD.id THEN ' was deleted' ELSE ' ended as dead_letter' END
    WHERE id IN (
        WITH RECURSIVE kin (id) AS (
            SELECT id FROM job_queue WHERE parent_job_id = OLD.id AND status = 'blocked'
            UNION
            SELECT child.id FROM kin JOIN job_queue AS child ON child.parent_job_id = kin.id WHERE child.status = 'blocked'
        )
        SELECT id FROM kin
    );
    UPDATE job_queue
    SET parent_job_id = NULL
    WHERE parent_job_id = OLD.id;
END;

-- Its reason begins with a code, as the engine's do.
DROP TRIGGER job_queue_lost_its_parent;
CREATE TRIGGER job_queue_lost_its_parent AFTER INSERT ON job_queue
WHEN NEW.status = 'pending' AND NEW.parent_job_id IS NOT NULL
    AND EXISTS (SELECT 1 FROM job_queue WHERE id = NEW.parent_job_id AND status IN ('cancelled', 'dead_letter'))
BEGIN
    UPDATE job_queue
    SET status = 'dead_letter',
        dead_letter_reason = 'parent_ended: its parent job ' || NEW.parent_job_id || ' had not completed',
        moved_to_dead_letter_at = NEW.created_at
    WHERE id = NEW.id;
END;

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
