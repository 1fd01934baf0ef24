-- longshore: rebuild
-- An instant before 1990 is one in seconds: every column of milliseconds refuses it. A queue, a priority, a number of
-- retries and a timeout that an INSERT leaves out are those of the job's type, as soon as a worker has registered it. So
-- they have no default of their own, and the triggers at the end fill them in. Only the triggers do: the engine, whose
-- connection has them off, gives the queue and the priority itself. The number of retries stays NULL in its rows, which
-- means that of the type.

-- Ended jobs up to this id were there before there was a default retention, so only one that somebody has set removes
-- them: jobs of an adopted or upgraded table are old on the first day.
CREATE TABLE job_history (
    last_id INTEGER NOT NULL
);
INSERT INTO job_history (last_id)
SELECT COALESCE(max(seq), 0)
FROM sqlite_sequence
WHERE name = 'job_queue';

-- The settings of each type, from its last registration. NULL means the built-in default.
CREATE TABLE job_type_settings (
    job_type TEXT PRIMARY KEY CHECK (job_type > '' AND job_type < x''),
    queue TEXT CHECK (queue > '' AND queue < x''),
    priority INTEGER CHECK (priority IS NULL OR typeof(priority) = 'integer'),
    max_retries INTEGER CHECK (max_retries >= 0),
    timeout_seconds INTEGER CHECK (timeout_seconds > 0)
) WITHOUT ROWID;

-- What stood in a column before 1990. A number that is a date from 1990 on in seconds becomes that date, any other one
-- the beginning of 1990, so that what had passed has passed. The number is kept here, and goes back with this migration.
CREATE TABLE job_early_instants (
    job_id INTEGER NOT NULL,
    column_name TEXT NOT NULL,
    was INTEGER NOT NULL,
    became INTEGER NOT NULL,
    PRIMARY KEY (job_id, column_name)
) WITHOUT ROWID;

INSERT INTO job_early_instants (job_id, column_name, was, became)
WITH early AS MATERIALIZED (
    SELECT id, created_at, started_at, completed_at, next_retry_at,
           moved_to_dead_letter_at, run_at, expires_at, deadline_at
    FROM job_queue
    WHERE created_at < 631152000000
       OR started_at < 631152000000
       OR completed_at < 631152000000
       OR next_retry_at < 631152000000
       OR moved_to_dead_letter_at < 631152000000
       OR run_at < 631152000000
       OR expires_at < 631152000000
       OR deadline_at < 631152000000
), given AS (
    SELECT id, 'created_at' AS name, created_at AS was FROM early WHERE created_at < 631152000000
    UNION ALL
    SELECT id, 'started_at' AS name, started_at AS was FROM early WHERE started_at < 631152000000
    UNION ALL
    SELECT id, 'completed_at' AS name, completed_at AS was FROM early WHERE completed_at < 631152000000
    UNION ALL
    SELECT id, 'next_retry_at' AS name, next_retry_at AS was FROM early WHERE next_retry_at < 631152000000
    UNION ALL
    SELECT id, 'moved_to_dead_letter_at' AS name, moved_to_dead_letter_at AS was FROM early WHERE moved_to_dead_letter_at < 631152000000
    UNION ALL
    SELECT id, 'run_at' AS name, run_at AS was FROM early WHERE run_at < 631152000000
    UNION ALL
    SELECT id, 'expires_at' AS name, expires_at AS was FROM early WHERE expires_at < 631152000000
    UNION ALL
    SELECT id, 'deadline_at' AS name, deadline_at AS was FROM early WHERE deadline_at < 631152000000
)
SELECT id, name, was, CASE WHEN was BETWEEN 631152000 AND 253402207200 THEN was * 1000 ELSE 631152000000 END
FROM given;

CREATE TABLE job_queue_rebuilt (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    job_type TEXT NOT NULL CHECK (job_type > '' AND job_type < x''),
    job_data TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(job_data)),
    status TEXT NOT NULL DEFAULT 'pending',
    priority INTEGER CHECK (priority IS NULL OR typeof(priority) = 'integer'),
    created_at INTEGER NOT NULL
        DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER))
        CONSTRAINT created_at_is_in_milliseconds CHECK (typeof(created_at) = 'integer' AND created_at >= 631152000000),
    started_at INTEGER,
    completed_at INTEGER,
    log_file_path TEXT,
    error_message TEXT,
    retry_count INTEGER NOT NULL DEFAULT 0 CHECK (retry_count >= 0),
    max_retries INTEGER CHECK (max_retries >= 0),
    worker_id TEXT,
    timeout_seconds INTEGER CHECK (timeout_seconds > 0),
    parent_job_id INTEGER,
    failure_type TEXT,
    next_retry_at INTEGER,
    last_error_traceback TEXT,
    dead_letter_reason TEXT,
    moved_to_dead_letter_at INTEGER,
    queue TEXT CHECK (queue > '' AND queue < x''),
    run_at INTEGER
        CONSTRAINT run_at_is_in_milliseconds CHECK (run_at IS NULL OR typeof(run_at) = 'integer' AND run_at >= 631152000000),
    ready_at INTEGER,
    claim_number INTEGER NOT NULL DEFAULT 0,
    crash_count INTEGER NOT NULL DEFAULT 0,
    max_crashes INTEGER NOT NULL DEFAULT 3 CHECK (max_crashes >= 0),
    deferral_count INTEGER NOT NULL DEFAULT 0,
    max_deferrals INTEGER NOT NULL DEFAULT 1000 CHECK (max_deferrals >= 0),
    unique_key TEXT,
    cancel_requested_at INTEGER,
    progress REAL,
    progress_message TEXT,
    result TEXT,
    metadata TEXT CHECK (metadata IS NULL OR json_valid(metadata)),
    isolated_claim INTEGER,
    lapsed_worker_id TEXT,
    expires_at INTEGER
        CONSTRAINT expires_at_is_in_milliseconds CHECK (expires_at IS NULL OR typeof(expires_at) = 'integer' AND expires_at >= 631152000000),
    deadline_at INTEGER
        CONSTRAINT deadline_at_is_in_milliseconds CHECK (deadline_at IS NULL OR typeof(deadline_at) = 'integer' AND deadline_at >= 631152000000),
    overdue_seen_at INTEGER,
    -- What the INSERT left to the settings of a type that nobody had registered: 1 the queue, 2 the priority, 3 both, 0
    -- neither, but perhaps the retries or the timeout; 4 if no trigger has looked at the row. NULL if nothing is left to do,
    -- which the engine writes itself.
    awaits_settings INTEGER DEFAULT 4,
    FOREIGN KEY (parent_job_id) REFERENCES job_queue_rebuilt (id) ON DELETE SET NULL,
    CHECK (CASE status
               WHEN 'pending' THEN 1
               WHEN 'running' THEN worker_id IS NOT NULL AND started_at IS NOT NULL
               WHEN 'completed' THEN completed_at IS NOT NULL
               WHEN 'retrying' THEN next_retry_at IS NOT NULL
               WHEN 'dead_letter' THEN dead_letter_reason IS NOT NULL AND moved_to_dead_letter_at IS NOT NULL
               WHEN 'cancelled' THEN completed_at IS NOT NULL
               WHEN 'blocked' THEN parent_job_id IS NOT NULL
               ELSE 0
           END)
);

INSERT INTO job_queue_rebuilt (
    id, job_type, job_data, status, priority, created_at, started_at, completed_at, log_file_path, error_message,
    retry_count, max_retries, worker_id, timeout_seconds, parent_job_id, failure_type, next_retry_at,
    last_error_traceback, dead_letter_reason, moved_to_dead_letter_at, queue, run_at, ready_at, claim_number,
    crash_count, max_crashes, deferral_count, max_deferrals, unique_key, cancel_requested_at, progress,
    progress_message, result, metadata, isolated_claim, lapsed_worker_id, expires_at, deadline_at, overdue_seen_at,
    awaits_settings
)
SELECT
    id, job_type, job_data, status, priority,
    CASE
        WHEN created_at BETWEEN 631152000 AND 253402207200 THEN created_at * 1000
        WHEN created_at < 631152000000 THEN 631152000000
        ELSE created_at
    END,
    CASE
        WHEN started_at BETWEEN 631152000 AND 253402207200 THEN started_at * 1000
        WHEN started_at < 631152000000 THEN 631152000000
        ELSE started_at
    END,
    CASE
        WHEN completed_at BETWEEN 631152000 AND 253402207200 THEN completed_at * 1000
        WHEN completed_at < 631152000000 THEN 631152000000
        ELSE completed_at
    END,
    log_file_path, error_message, retry_count, max_retries, worker_id, timeout_seconds, parent_job_id, failure_type,
    CASE
        WHEN next_retry_at BETWEEN 631152000 AND 253402207200 THEN next_retry_at * 1000
        WHEN next_retry_at < 631152000000 THEN 631152000000
        ELSE next_retry_at
    END,
    last_error_traceback, dead_letter_reason,
    CASE
        WHEN moved_to_dead_letter_at BETWEEN 631152000 AND 253402207200 THEN moved_to_dead_letter_at * 1000
        WHEN moved_to_dead_letter_at < 631152000000 THEN 631152000000
        ELSE moved_to_dead_letter_at
    END,
    queue,
    CASE
        WHEN run_at BETWEEN 631152000 AND 253402207200 THEN run_at * 1000
        WHEN run_at < 631152000000 THEN 631152000000
        ELSE run_at
    END,
    ready_at, claim_number, crash_count, max_crashes, deferral_count, max_deferrals, unique_key, cancel_requested_at,
    progress, progress_message, result, metadata, isolated_claim, lapsed_worker_id,
    CASE
        WHEN expires_at BETWEEN 631152000 AND 253402207200 THEN expires_at * 1000
        WHEN expires_at < 631152000000 THEN 631152000000
        ELSE expires_at
    END,
    CASE
        WHEN deadline_at BETWEEN 631152000 AND 253402207200 THEN deadline_at * 1000
        WHEN deadline_at < 631152000000 THEN 631152000000
        ELSE deadline_at
    END,
    overdue_seen_at, NULL
FROM job_queue
ORDER BY id;

DELETE FROM sqlite_sequence
WHERE name = 'job_queue_rebuilt';
INSERT INTO sqlite_sequence (name, seq)
SELECT 'job_queue_rebuilt', seq
FROM sqlite_sequence
WHERE name = 'job_queue';

DROP TABLE job_queue;
ALTER TABLE job_queue_rebuilt RENAME TO job_queue;

-- The jobs that another program inserted before their type was registered; normally empty. No claim and no outcome
-- changes a column that stands here.
CREATE INDEX job_queue_awaits_settings ON job_queue (job_type, id)
    WHERE awaits_settings IS NOT NULL;

CREATE TRIGGER job_queue_gets_settings AFTER INSERT ON job_queue
WHEN NEW.awaits_settings IS NOT NULL OR NEW.queue IS NULL OR NEW.priority IS NULL
BEGIN
    UPDATE job_queue
    SET queue = COALESCE(queue, (SELECT queue FROM job_type_settings WHERE job_type = NEW.job_type), 'default'),
        priority = COALESCE(priority, (SELECT priority FROM job_type_settings WHERE job_type = NEW.job_type), 5),
        max_retries = COALESCE(max_retries, (SELECT max_retries FROM job_type_settings WHERE job_type = NEW.job_type)),
        timeout_seconds = COALESCE(timeout_seconds,
            (SELECT timeout_seconds FROM job_type_settings WHERE job_type = NEW.job_type)),
        awaits_settings = CASE
            WHEN queue IS NOT NULL AND priority IS NOT NULL AND max_retries IS NOT NULL AND timeout_seconds IS NOT NULL
                THEN NULL
            WHEN EXISTS (SELECT 1 FROM job_type_settings WHERE job_type = NEW.job_type) THEN NULL
            ELSE (queue IS NULL) + 2 * (priority IS NULL)
        END
    WHERE id = NEW.id;
END;

-- An UPDATE may take away what an INSERT may leave out, as ON CONFLICT DO UPDATE does with excluded.priority.
CREATE TRIGGER job_queue_gets_settings_again AFTER UPDATE OF queue, priority, max_retries ON job_queue
WHEN NEW.queue IS NULL OR NEW.priority IS NULL OR (NEW.max_retries IS NULL AND OLD.max_retries IS NOT NULL)
BEGIN
    UPDATE job_queue
    SET queue = COALESCE(queue, (SELECT queue FROM job_type_settings WHERE job_type = NEW.job_type), 'default'),
        priority = COALESCE(priority, (SELECT priority FROM job_type_settings WHERE job_type = NEW.job_type), 5),
        max_retries = COALESCE(max_retries, (SELECT max_retries FROM job_type_settings WHERE job_type = NEW.job_type)),
        awaits_settings = CASE
            WHEN queue IS NOT NULL AND priority IS NOT NULL AND max_retries IS NOT NULL AND timeout_seconds IS NOT NULL
                THEN NULL
            WHEN EXISTS (SELECT 1 FROM job_type_settings WHERE job_type = NEW.job_type) THEN NULL
            ELSE (queue IS NULL) + 2 * (priority IS NULL)
        END
    WHERE id = NEW.id;
END;

-- The instants that the engine writes with every move of a job have no CHECK, which each move would pay for.
CREATE TRIGGER job_queue_guards_inserted_instants AFTER INSERT ON job_queue
BEGIN
    SELECT RAISE(ABORT, 'started_at is in milliseconds since 1970, and must be after 1989')
    WHERE NEW.started_at < 631152000000;
    SELECT RAISE(ABORT, 'completed_at is in milliseconds since 1970, and must be after 1989')
    WHERE NEW.completed_at < 631152000000;
    SELECT RAISE(ABORT, 'next_retry_at is in milliseconds since 1970, and must be after 1989')
    WHERE NEW.next_retry_at < 631152000000;
    SELECT RAISE(ABORT, 'moved_to_dead_letter_at is in milliseconds since 1970, and must be after 1989')
    WHERE NEW.moved_to_dead_letter_at < 631152000000;
END;

CREATE TRIGGER job_queue_guards_instants
AFTER UPDATE OF started_at, completed_at, next_retry_at, moved_to_dead_letter_at ON job_queue
BEGIN
    SELECT RAISE(ABORT, 'started_at is in milliseconds since 1970, and must be after 1989')
    WHERE NEW.started_at < 631152000000;
    SELECT RAISE(ABORT, 'completed_at is in milliseconds since 1970, and must be after 1989')
    WHERE NEW.completed_at < 631152000000;
    SELECT RAISE(ABORT, 'next_retry_at is in milliseconds since 1970, and must be after 1989')
    WHERE NEW.next_retry_at < 631152000000;
    SELECT RAISE(ABORT, 'moved_to_dead_letter_at is in milliseconds since 1970, and must be after 1989')
    WHERE NEW.moved_to_dead_letter_at < 631152000000;
END;

-- As before, but an instant in seconds is refused by the trigger above and not by a constraint here, which OR FAIL would
-- not take back.
CREATE TRIGGER job_queue_retries_in_time AFTER UPDATE OF status, run_at, next_retry_at ON job_queue
WHEN NEW.status = 'retrying' AND NEW.run_at IS NULL
BEGIN
    UPDATE job_queue
    SET run_at = CASE WHEN typeof(next_retry_at) = 'integer' AND next_retry_at >= 631152000000 THEN next_retry_at
                 ELSE CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) END
    WHERE id = NEW.id;
END;

CREATE TRIGGER job_queue_inserted_retrying AFTER INSERT ON job_queue
WHEN NEW.status = 'retrying' AND NEW.run_at IS NULL
BEGIN
    UPDATE job_queue
    SET run_at = CASE WHEN typeof(next_retry_at) = 'integer' AND next_retry_at >= 631152000000 THEN next_retry_at
                 ELSE CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) END
    WHERE id = NEW.id;
END;

-- The counts as before, with the queue that a row has while its settings are not filled in yet.
CREATE TRIGGER job_queue_inserted AFTER INSERT ON job_queue
BEGIN
    INSERT INTO job_depths (queue, status, jobs) VALUES (COALESCE(NEW.queue, 'default'), NEW.status, 1)
    ON CONFLICT (queue, status) DO UPDATE SET jobs = jobs + 1;
END;

CREATE TRIGGER job_queue_moved AFTER UPDATE OF queue, status ON job_queue
WHEN COALESCE(OLD.queue, 'default') <> COALESCE(NEW.queue, 'default') OR OLD.status <> NEW.status
BEGIN
    INSERT INTO job_depths (queue, status, jobs) VALUES (COALESCE(OLD.queue, 'default'), OLD.status, -1)
    ON CONFLICT (queue, status) DO UPDATE SET jobs = jobs - 1;
    INSERT INTO job_depths (queue, status, jobs) VALUES (COALESCE(NEW.queue, 'default'), NEW.status, 1)
    ON CONFLICT (queue, status) DO UPDATE SET jobs = jobs + 1;
END;

CREATE TRIGGER job_queue_deleted AFTER DELETE ON job_queue
BEGIN
    INSERT INTO job_depths (queue, status, jobs) VALUES (COALESCE(OLD.queue, 'default'), OLD.status, -1)
    ON CONFLICT (queue, status) DO UPDATE SET jobs = jobs - 1;
    DELETE FROM job_attempts WHERE job_id = OLD.id;
    DELETE FROM job_logs WHERE job_id = OLD.id;
    DELETE FROM job_replaced WHERE id = OLD.id;
END;

CREATE TRIGGER job_queue_inserting BEFORE INSERT ON job_queue
BEGIN
    DELETE FROM job_replaced
    WHERE cause = 'insert' AND EXISTS (SELECT 1 FROM job_queue WHERE id = job_replaced.id);
    INSERT INTO job_replaced (cause, id, queue, status)
    SELECT 'insert', id, COALESCE(queue, 'default'), status FROM job_queue WHERE id = NEW.id
    UNION
    SELECT 'insert', id, COALESCE(queue, 'default'), status FROM job_queue
    WHERE unique_key = NEW.unique_key AND status IN ('pending', 'running', 'retrying', 'blocked');
END;

CREATE TRIGGER job_queue_updating BEFORE UPDATE OF id, status, unique_key ON job_queue
WHEN OLD.id <> NEW.id OR NEW.unique_key IS NOT NULL
BEGIN
    DELETE FROM job_replaced
    WHERE (cause = 'update' AND EXISTS (SELECT 1 FROM job_queue WHERE id = job_replaced.id))
       OR (id = OLD.id AND id <> NEW.id);
    INSERT INTO job_replaced (cause, id, queue, status)
    SELECT 'update', id, COALESCE(queue, 'default'), status FROM job_queue WHERE id = NEW.id AND id <> OLD.id
    UNION
    SELECT 'update', id, COALESCE(queue, 'default'), status FROM job_queue
    WHERE unique_key = NEW.unique_key AND status IN ('pending', 'running', 'retrying', 'blocked') AND id <> OLD.id;
END;
