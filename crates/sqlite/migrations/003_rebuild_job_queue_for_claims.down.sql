-- longshore: rebuild
CREATE TABLE job_queue_rebuilt (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    job_type TEXT NOT NULL,
    job_data TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'pending',
    priority INTEGER NOT NULL DEFAULT 5,
    created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    started_at TIMESTAMP,
    completed_at TIMESTAMP,
    log_file_path TEXT,
    error_message TEXT,
    retry_count INTEGER NOT NULL DEFAULT 0,
    max_retries INTEGER NOT NULL DEFAULT 3,
    worker_id TEXT,
    timeout_seconds INTEGER,
    parent_job_id INTEGER,
    failure_type TEXT,
    next_retry_at TIMESTAMP,
    last_error_traceback TEXT,
    dead_letter_reason TEXT,
    moved_to_dead_letter_at TIMESTAMP,
    FOREIGN KEY (parent_job_id) REFERENCES job_queue_rebuilt (id)
);

-- 'blocked' was not known: such a job waits as 'pending' again. 'retrying' keeps its instant.
INSERT INTO job_queue_rebuilt (
    id, job_type, job_data, status, priority, created_at, started_at, completed_at, log_file_path, error_message,
    retry_count, max_retries, worker_id, timeout_seconds, parent_job_id, failure_type, next_retry_at,
    last_error_traceback, dead_letter_reason, moved_to_dead_letter_at
)
SELECT id, job_type, job_data,
       CASE status WHEN 'blocked' THEN 'pending' ELSE status END,
       priority,
       strftime('%Y-%m-%d %H:%M:%f', created_at / 1000.0, 'unixepoch'),
       strftime('%Y-%m-%d %H:%M:%f', started_at / 1000.0, 'unixepoch'),
       strftime('%Y-%m-%d %H:%M:%f', completed_at / 1000.0, 'unixepoch'),
       log_file_path, error_message, retry_count, max_retries, worker_id, timeout_seconds, parent_job_id, failure_type,
       strftime('%Y-%m-%d %H:%M:%f', next_retry_at / 1000.0, 'unixepoch'),
       last_error_traceback, dead_letter_reason,
       strftime('%Y-%m-%d %H:%M:%f', moved_to_dead_letter_at / 1000.0, 'unixepoch')
FROM job_queue
ORDER BY id;

DELETE FROM sqlite_sequence
WHERE name = 'job_queue_rebuilt';
INSERT INTO sqlite_sequence (name, seq)
SELECT 'job_queue_rebuilt', seq
FROM sqlite_sequence
WHERE name = 'job_queue';

DROP TABLE job_attempts;
DROP TABLE job_queue;
ALTER TABLE job_queue_rebuilt RENAME TO job_queue;

CREATE INDEX idx_job_queue_status ON job_queue (status);
CREATE INDEX idx_job_queue_priority ON job_queue (priority DESC);
CREATE INDEX idx_job_queue_created_at ON job_queue (created_at);
CREATE INDEX idx_job_queue_type ON job_queue (job_type);
CREATE INDEX idx_job_queue_failure_type ON job_queue (failure_type);
CREATE INDEX idx_job_queue_next_retry_at ON job_queue (next_retry_at);
