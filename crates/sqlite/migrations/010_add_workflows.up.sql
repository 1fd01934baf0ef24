-- longshore: rebuild
-- Batches, and jobs that wait for other jobs, for their batch or for a signal. Jobs that use none of it have no row here. A
-- job that waits for something else than its parent is `blocked` and has no parent, which the table did not allow.
CREATE TABLE job_batches (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL CHECK (name > '' AND name < x''),
    created_at INTEGER NOT NULL,
    closed_at INTEGER,
    -- When it was judged last, while it is.
    ended_at INTEGER,
    members INTEGER NOT NULL DEFAULT 0,
    completed INTEGER NOT NULL DEFAULT 0,
    cancelled INTEGER NOT NULL DEFAULT 0,
    dead_letter INTEGER NOT NULL DEFAULT 0,
    callbacks INTEGER NOT NULL DEFAULT 0
);

-- The place of a job in a workflow. `counted` is the final status that the counts of its batch hold of it, so that each
-- member is counted once however often it is looked at. The row of a deleted job goes once it is counted.
CREATE TABLE job_members (
    job_id INTEGER PRIMARY KEY,
    batch_id INTEGER,
    role TEXT NOT NULL CHECK (role IN ('member', 'callback')),
    reference TEXT,
    counted TEXT
);
CREATE INDEX job_members_of_batch ON job_members (batch_id, job_id) WHERE batch_id IS NOT NULL;

-- What a job waits or waited for: a job or a batch by its id, or a signal by the id of the batch and its name.
CREATE TABLE job_waits (
    job_id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('job', 'batch', 'signal')),
    target_id INTEGER NOT NULL,
    signal TEXT NOT NULL DEFAULT '',
    reference TEXT,
    needs TEXT NOT NULL CHECK (needs IN ('completed', 'ended', 'failed')),
    otherwise TEXT NOT NULL CHECK (otherwise IN ('dead_letter', 'cancel', 'run', 'wait')),
    state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'met', 'passed', 'failed')),
    timeout_ms INTEGER,
    timeout_at INTEGER,
    PRIMARY KEY (job_id, position)
) WITHOUT ROWID;
-- Who waits for something that has happened, and who was given up because of something that may happen again.
CREATE INDEX job_waits_waiting ON job_waits (kind, target_id, signal, job_id) WHERE state = 'waiting';
CREATE INDEX job_waits_failed ON job_waits (kind, target_id, signal, job_id) WHERE state = 'failed';
-- Whether a job still waits.
CREATE INDEX job_waits_unmet ON job_waits (job_id) WHERE state IN ('waiting', 'failed');
CREATE INDEX job_waits_due ON job_waits (timeout_at) WHERE timeout_at IS NOT NULL AND state = 'waiting';

-- The signals that came, also those that nobody waits for yet.
CREATE TABLE job_signals (
    batch_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    data TEXT CHECK (data IS NULL OR json_valid(data)),
    sent_at INTEGER NOT NULL,
    PRIMARY KEY (batch_id, name)
) WITHOUT ROWID;

-- What somebody must look at: a job that ended, was retried or went, a batch that was judged or opened again, a signal.
-- What follows is done in bounded steps; `after_job` says how far they are. `revives` is 1 where jobs that were given up
-- because of it come back.
CREATE TABLE job_followups (
    kind TEXT NOT NULL,
    target_id INTEGER NOT NULL,
    signal TEXT NOT NULL DEFAULT '',
    revives INTEGER NOT NULL DEFAULT 0,
    after_job INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (kind, target_id, signal, revives)
) WITHOUT ROWID;

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
    awaits_settings INTEGER DEFAULT 4,
    -- How much the job waits or waited for (job_waits), beside its parent. NULL for nothing.
    waits INTEGER CHECK (waits > 0),
    FOREIGN KEY (parent_job_id) REFERENCES job_queue_rebuilt (id) ON DELETE SET NULL,
    CHECK (CASE status
               WHEN 'pending' THEN 1
               WHEN 'running' THEN worker_id IS NOT NULL AND started_at IS NOT NULL
               WHEN 'completed' THEN completed_at IS NOT NULL
               WHEN 'retrying' THEN next_retry_at IS NOT NULL
               WHEN 'dead_letter' THEN dead_letter_reason IS NOT NULL AND moved_to_dead_letter_at IS NOT NULL
               WHEN 'cancelled' THEN completed_at IS NOT NULL
               WHEN 'blocked' THEN parent_job_id IS NOT NULL OR waits IS NOT NULL
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
    id, job_type, job_data, status, priority, created_at, started_at, completed_at, log_file_path, error_message,
    retry_count, max_retries, worker_id, timeout_seconds, parent_job_id, failure_type, next_retry_at,
    last_error_traceback, dead_letter_reason, moved_to_dead_letter_at, queue, run_at, ready_at, claim_number,
    crash_count, max_crashes, deferral_count, max_deferrals, unique_key, cancel_requested_at, progress,
    progress_message, result, metadata, isolated_claim, lapsed_worker_id, expires_at, deadline_at, overdue_seen_at,
    awaits_settings
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
              WHEN status = 'blocked' AND (parent_job_id | 0 = parent_job_id OR waits > 0) THEN 0
              ELSE 1
          END;

-- For other programs: what they do to a job is looked at later. The engine's own connection has triggers off.
CREATE TRIGGER job_queue_is_followed_up AFTER UPDATE OF status ON job_queue
WHEN OLD.status <> NEW.status
    AND (NEW.status IN ('completed', 'cancelled', 'dead_letter', 'blocked')
         OR OLD.status IN ('completed', 'cancelled', 'dead_letter'))
BEGIN
    INSERT INTO job_followups (kind, target_id)
    SELECT 'job', NEW.id
    WHERE NEW.waits IS NOT NULL
       OR EXISTS (SELECT 1 FROM job_members WHERE job_id = NEW.id)
       OR EXISTS (SELECT 1 FROM job_waits WHERE kind = 'job' AND target_id = NEW.id AND signal = '' AND state = 'waiting')
    ON CONFLICT (kind, target_id, signal, revives) DO UPDATE SET after_job = 0;
END;

CREATE TRIGGER job_queue_inserted_waiting AFTER INSERT ON job_queue
WHEN NEW.status = 'blocked' AND NEW.waits IS NOT NULL
BEGIN
    INSERT INTO job_followups (kind, target_id) VALUES ('job', NEW.id)
    ON CONFLICT (kind, target_id, signal, revives) DO UPDATE SET after_job = 0;
END;

CREATE TRIGGER job_queue_leaves_its_workflow AFTER DELETE ON job_queue
BEGIN
    INSERT INTO job_followups (kind, target_id)
    SELECT 'job', OLD.id
    WHERE EXISTS (SELECT 1 FROM job_members WHERE job_id = OLD.id)
       OR EXISTS (SELECT 1 FROM job_waits WHERE kind = 'job' AND target_id = OLD.id AND signal = '' AND state = 'waiting')
    ON CONFLICT (kind, target_id, signal, revives) DO UPDATE SET after_job = 0;
    DELETE FROM job_waits WHERE job_id = OLD.id;
END;

-- REPLACE deletes a row without a delete trigger: the new row may have the id of the old one, or `job_replaced` notes it.
CREATE TRIGGER job_queue_begins_without_waits AFTER INSERT ON job_queue
WHEN NEW.waits IS NULL
BEGIN
    DELETE FROM job_waits WHERE job_id = NEW.id;
END;

CREATE TRIGGER job_replaced_leaves_its_workflow AFTER DELETE ON job_replaced
WHEN NOT EXISTS (SELECT 1 FROM job_queue WHERE id = OLD.id)
BEGIN
    INSERT INTO job_followups (kind, target_id)
    SELECT 'job', OLD.id
    WHERE EXISTS (SELECT 1 FROM job_members WHERE job_id = OLD.id)
       OR EXISTS (SELECT 1 FROM job_waits WHERE kind = 'job' AND target_id = OLD.id AND signal = '' AND state = 'waiting')
    ON CONFLICT (kind, target_id, signal, revives) DO UPDATE SET after_job = 0;
    DELETE FROM job_waits WHERE job_id = OLD.id;
END;
