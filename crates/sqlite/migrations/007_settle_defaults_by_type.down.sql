-- longshore: rebuild
-- longshore: loses job_history, job_type_settings, job_early_instants
-- Workers register the settings of their types again.
-- What follows the settings of its type gets them now, or the built-in default. An instant that this migration changed,
-- and that nobody has changed since, is again what it was.
DROP TRIGGER job_queue_gets_settings;
DROP TRIGGER job_queue_gets_settings_again;
DROP TRIGGER job_queue_guards_inserted_instants;
DROP TRIGGER job_queue_guards_instants;
DROP INDEX job_queue_awaits_settings;

CREATE TABLE job_queue_rebuilt (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    job_type TEXT NOT NULL CHECK (job_type > '' AND job_type < x''),
    job_data TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(job_data)),
    status TEXT NOT NULL DEFAULT 'pending',
    priority INTEGER NOT NULL DEFAULT 5 CHECK (typeof(priority) = 'integer'),
    created_at INTEGER NOT NULL
        DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER))
        CHECK (typeof(created_at) = 'integer'),
    started_at INTEGER,
    completed_at INTEGER,
    log_file_path TEXT,
    error_message TEXT,
    retry_count INTEGER NOT NULL DEFAULT 0 CHECK (retry_count >= 0),
    max_retries INTEGER NOT NULL DEFAULT 3 CHECK (max_retries >= 0),
    worker_id TEXT,
    timeout_seconds INTEGER CHECK (timeout_seconds > 0),
    parent_job_id INTEGER,
    failure_type TEXT,
    next_retry_at INTEGER,
    last_error_traceback TEXT,
    dead_letter_reason TEXT,
    moved_to_dead_letter_at INTEGER,
    queue TEXT NOT NULL DEFAULT 'default' CHECK (queue > '' AND queue < x''),
    run_at INTEGER CHECK (run_at IS NULL OR typeof(run_at) = 'integer'),
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
    expires_at INTEGER CHECK (expires_at IS NULL OR typeof(expires_at) = 'integer'),
    deadline_at INTEGER CHECK (deadline_at IS NULL OR typeof(deadline_at) = 'integer'),
    overdue_seen_at INTEGER,
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
    progress_message, result, metadata, isolated_claim, lapsed_worker_id, expires_at, deadline_at, overdue_seen_at
)
SELECT
    id, job_type, job_data, status, COALESCE(priority, 5),
    COALESCE(
        (SELECT was FROM job_early_instants WHERE job_id = id AND column_name = 'created_at' AND became = created_at), created_at
    ),
    COALESCE(
        (SELECT was FROM job_early_instants WHERE job_id = id AND column_name = 'started_at' AND became = started_at), started_at
    ),
    COALESCE(
        (SELECT was FROM job_early_instants WHERE job_id = id AND column_name = 'completed_at' AND became = completed_at), completed_at
    ),
    log_file_path, error_message, retry_count,
    COALESCE(
        max_retries,
        (SELECT settings.max_retries FROM job_type_settings AS settings WHERE settings.job_type = job_queue.job_type),
        15
    ),
    worker_id, timeout_seconds, parent_job_id, failure_type,
    COALESCE(
        (SELECT was FROM job_early_instants WHERE job_id = id AND column_name = 'next_retry_at' AND became = next_retry_at), next_retry_at
    ),
    last_error_traceback, dead_letter_reason,
    COALESCE(
        (SELECT was FROM job_early_instants WHERE job_id = id AND column_name = 'moved_to_dead_letter_at' AND became = moved_to_dead_letter_at), moved_to_dead_letter_at
    ),
    COALESCE(queue, 'default'),
    COALESCE(
        (SELECT was FROM job_early_instants WHERE job_id = id AND column_name = 'run_at' AND became = run_at), run_at
    ),
    ready_at, claim_number, crash_count, max_crashes, deferral_count, max_deferrals, unique_key, cancel_requested_at,
    progress, progress_message, result, metadata, isolated_claim, lapsed_worker_id,
    COALESCE(
        (SELECT was FROM job_early_instants WHERE job_id = id AND column_name = 'expires_at' AND became = expires_at), expires_at
    ),
    COALESCE(
        (SELECT was FROM job_early_instants WHERE job_id = id AND column_name = 'deadline_at' AND became = deadline_at), deadline_at
    ),
    overdue_seen_at
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

DROP TABLE job_early_instants;
DROP TABLE job_type_settings;
DROP TABLE job_history;

CREATE TRIGGER job_queue_inserted AFTER INSERT ON job_queue
BEGIN
    INSERT INTO job_depths (queue, status, jobs) VALUES (NEW.queue, NEW.status, 1)
    ON CONFLICT (queue, status) DO UPDATE SET jobs = jobs + 1;
END;

CREATE TRIGGER job_queue_moved AFTER UPDATE OF queue, status ON job_queue
WHEN OLD.queue <> NEW.queue OR OLD.status <> NEW.status
BEGIN
    INSERT INTO job_depths (queue, status, jobs) VALUES (OLD.queue, OLD.status, -1)
    ON CONFLICT (queue, status) DO UPDATE SET jobs = jobs - 1;
    INSERT INTO job_depths (queue, status, jobs) VALUES (NEW.queue, NEW.status, 1)
    ON CONFLICT (queue, status) DO UPDATE SET jobs = jobs + 1;
END;

CREATE TRIGGER job_queue_deleted AFTER DELETE ON job_queue
BEGIN
    INSERT INTO job_depths (queue, status, jobs) VALUES (OLD.queue, OLD.status, -1)
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
    SELECT 'insert', id, queue, status FROM job_queue WHERE id = NEW.id
    UNION
    SELECT 'insert', id, queue, status FROM job_queue
    WHERE unique_key = NEW.unique_key AND status IN ('pending', 'running', 'retrying', 'blocked');
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
