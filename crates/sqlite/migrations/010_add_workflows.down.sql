-- longshore: rebuild
-- longshore: loses job_batches, job_members, job_waits, job_signals, job_followups
-- What a job waited for is no longer known, so it is given up; a person decides.
UPDATE job_queue
SET status = 'dead_letter',
    completed_at = CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER),
    moved_to_dead_letter_at = CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER),
    dead_letter_reason = 'dependency_failed: what it waited for went with a migration of the queue'
WHERE status = 'blocked' AND parent_job_id IS NULL;

DROP TRIGGER job_queue_is_followed_up;
DROP TRIGGER job_queue_inserted_waiting;
DROP TRIGGER job_queue_leaves_its_workflow;
DROP TRIGGER job_queue_begins_without_waits;
DROP TRIGGER job_replaced_leaves_its_workflow;

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

DROP TABLE job_followups;
DROP TABLE job_signals;
DROP TABLE job_waits;
DROP TABLE job_members;
DROP TABLE job_batches;
