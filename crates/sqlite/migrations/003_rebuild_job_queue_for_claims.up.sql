-- longshore: rebuild
-- Text instants become milliseconds since 1970 (UTC), every status gets its honest successor, and a CHECK
-- constraint binds a state to what must be known in it. It is one CASE with what is frequent first, because it is
-- evaluated in every move of every job: an IN list of more than two would be a temporary table in each statement,
-- and a constraint for each state would compare the status a dozen times. Text that is not empty is what stands
-- between '' and the smallest blob. Expressions keep to what SQLite 3.38 knows, because
-- the defaults run in whatever library another program inserts with (unixepoch('subsec') would need 3.42).
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

-- An orphan of the old workers ('running', 'zombie') runs again: its attempt crashed, it did not fail.
-- 'failed' and 'timeout' were final in the old scheme, so they are dead letters with their own error.
-- An instant that is no date falls back to the nearest one that is known, and a payload that is no JSON
-- becomes a JSON string, so that no row is lost to a constraint.
INSERT INTO job_queue_rebuilt (
    id, job_type, job_data, status, priority, created_at, started_at, completed_at, log_file_path, error_message,
    retry_count, max_retries, worker_id, timeout_seconds, parent_job_id, failure_type, next_retry_at,
    last_error_traceback, dead_letter_reason, moved_to_dead_letter_at, run_at, crash_count
)
WITH instants AS (
    SELECT id AS job_id,
           CASE typeof(created_at) WHEN 'text' THEN CAST(round((julianday(created_at) - 2440587.5) * 86400000.0) AS INTEGER)
                WHEN 'null' THEN NULL ELSE CAST(created_at AS INTEGER) * CASE WHEN created_at < 100000000000 THEN 1000 ELSE 1 END END AS created,
           CASE typeof(started_at) WHEN 'text' THEN CAST(round((julianday(started_at) - 2440587.5) * 86400000.0) AS INTEGER)
                WHEN 'null' THEN NULL ELSE CAST(started_at AS INTEGER) * CASE WHEN started_at < 100000000000 THEN 1000 ELSE 1 END END AS started,
           CASE typeof(completed_at) WHEN 'text' THEN CAST(round((julianday(completed_at) - 2440587.5) * 86400000.0) AS INTEGER)
                WHEN 'null' THEN NULL ELSE CAST(completed_at AS INTEGER) * CASE WHEN completed_at < 100000000000 THEN 1000 ELSE 1 END END AS completed,
           CASE typeof(next_retry_at) WHEN 'text' THEN CAST(round((julianday(next_retry_at) - 2440587.5) * 86400000.0) AS INTEGER)
                WHEN 'null' THEN NULL ELSE CAST(next_retry_at AS INTEGER) * CASE WHEN next_retry_at < 100000000000 THEN 1000 ELSE 1 END END AS retried,
           CASE typeof(moved_to_dead_letter_at) WHEN 'text' THEN CAST(round((julianday(moved_to_dead_letter_at) - 2440587.5) * 86400000.0) AS INTEGER)
                WHEN 'null' THEN NULL ELSE CAST(moved_to_dead_letter_at AS INTEGER) * CASE WHEN moved_to_dead_letter_at < 100000000000 THEN 1000 ELSE 1 END END AS moved,
           CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) AS this_moment
    FROM job_queue
), successors AS (
    SELECT id AS job_id,
           CASE lower(status)
               WHEN 'pending' THEN 'pending'
               WHEN 'running' THEN 'pending'
               WHEN 'zombie' THEN 'pending'
               WHEN 'retrying' THEN CASE WHEN next_retry_at IS NULL THEN 'pending' ELSE 'retrying' END
               WHEN 'completed' THEN 'completed'
               WHEN 'cancelled' THEN 'cancelled'
               ELSE 'dead_letter'
           END AS successor
    FROM job_queue
)
SELECT j.id,
       COALESCE(NULLIF(CAST(j.job_type AS TEXT), ''), 'unknown'),
       CASE WHEN json_valid(j.job_data) THEN CAST(j.job_data AS TEXT) ELSE json_quote(CAST(j.job_data AS TEXT)) END,
       s.successor,
       CAST(j.priority AS INTEGER),
       COALESCE(i.created, i.started, i.completed, i.this_moment),
       CASE WHEN s.successor = 'pending' THEN NULL ELSE i.started END,
       CASE WHEN s.successor IN ('completed', 'cancelled') THEN COALESCE(i.completed, i.started, i.created, i.this_moment)
            WHEN s.successor = 'dead_letter' THEN i.completed END,
       j.log_file_path,
       j.error_message,
       max(CAST(j.retry_count AS INTEGER), 0),
       max(CAST(j.max_retries AS INTEGER), 0),
       CASE WHEN s.successor = 'pending' THEN NULL ELSE j.worker_id END,
       CASE WHEN CAST(j.timeout_seconds AS INTEGER) > 0 THEN CAST(j.timeout_seconds AS INTEGER) END,
       CASE WHEN EXISTS (SELECT 1 FROM job_queue p WHERE p.id = j.parent_job_id) THEN j.parent_job_id END,
       CASE WHEN j.failure_type IS NOT NULL THEN j.failure_type
            WHEN lower(j.status) = 'timeout' THEN 'timeout_error'
            WHEN s.successor = 'dead_letter' THEN 'unknown' END,
       CASE WHEN s.successor = 'retrying' THEN COALESCE(i.retried, i.this_moment) END,
       j.last_error_traceback,
       CASE WHEN s.successor = 'dead_letter'
            THEN COALESCE(j.dead_letter_reason, 'was "' || j.status || '" before the queue was upgraded') END,
       CASE WHEN s.successor = 'dead_letter' THEN COALESCE(i.moved, i.completed, i.this_moment) END,
       CASE WHEN s.successor = 'retrying' THEN COALESCE(i.retried, i.this_moment) END,
       CASE WHEN lower(j.status) IN ('running', 'zombie') THEN 1 ELSE 0 END
FROM job_queue j
JOIN instants i ON i.job_id = j.id
JOIN successors s ON s.job_id = j.id
ORDER BY j.id;

CREATE TABLE job_attempts (
    job_id INTEGER NOT NULL REFERENCES job_queue_rebuilt (id) ON DELETE CASCADE,
    claim_number INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    worker_id TEXT,
    started_at INTEGER,
    finished_at INTEGER NOT NULL,
    outcome TEXT NOT NULL
        CHECK (outcome IN ('completed', 'retrying', 'dead_letter', 'cancelled', 'deferred', 'returned', 'crashed')),
    failure_type TEXT,
    error_message TEXT,
    traceback TEXT,
    PRIMARY KEY (job_id, claim_number)
) WITHOUT ROWID;

-- The attempt that was running when the old workers stopped, so that the job's history tells of it.
INSERT INTO job_attempts (job_id, claim_number, attempt, worker_id, started_at, finished_at, outcome, failure_type, error_message)
SELECT j.id, 0, max(CAST(j.retry_count AS INTEGER), 0) + 1, j.worker_id,
       CASE typeof(j.started_at) WHEN 'text' THEN CAST(round((julianday(j.started_at) - 2440587.5) * 86400000.0) AS INTEGER) END,
       CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER),
       'crashed', 'worker_error', 'its worker had gone when the queue was upgraded'
FROM job_queue j
WHERE lower(j.status) IN ('running', 'zombie');

-- An id is never given twice, not even that of a deleted job: the new table goes on where the old one stood.
DELETE FROM sqlite_sequence
WHERE name = 'job_queue_rebuilt';
INSERT INTO sqlite_sequence (name, seq)
SELECT 'job_queue_rebuilt', seq
FROM sqlite_sequence
WHERE name = 'job_queue';

DROP TABLE job_queue;
ALTER TABLE job_queue_rebuilt RENAME TO job_queue;

-- What can be claimed now. The type stands before the priority, so that a claim never walks jobs of a type
-- that its worker does not know; the claim merges one such run for each type that it does.
CREATE INDEX job_queue_ready ON job_queue (queue, job_type, priority DESC, id)
    WHERE status = 'pending' AND run_at IS NULL;
-- What becomes ready later, by its instant; promotion reads it from the front.
CREATE INDEX job_queue_due ON job_queue (run_at)
    WHERE run_at IS NOT NULL AND status IN ('pending', 'retrying');
CREATE INDEX job_queue_running ON job_queue (worker_id, id)
    WHERE status = 'running';
CREATE UNIQUE INDEX job_queue_unique_key ON job_queue (unique_key)
    WHERE unique_key IS NOT NULL AND status IN ('pending', 'running', 'retrying', 'blocked');
CREATE INDEX job_queue_parent ON job_queue (parent_job_id)
    WHERE parent_job_id IS NOT NULL;
CREATE INDEX job_queue_dead_letter ON job_queue (id)
    WHERE status = 'dead_letter';
