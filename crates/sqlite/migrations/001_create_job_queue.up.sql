CREATE TABLE job_queue (
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
    FOREIGN KEY (parent_job_id) REFERENCES job_queue (id)
);

CREATE INDEX idx_job_queue_status ON job_queue (status);
CREATE INDEX idx_job_queue_priority ON job_queue (priority DESC);
CREATE INDEX idx_job_queue_created_at ON job_queue (created_at);
CREATE INDEX idx_job_queue_type ON job_queue (job_type);
