ALTER TABLE job_queue ADD COLUMN failure_type TEXT;
ALTER TABLE job_queue ADD COLUMN next_retry_at TIMESTAMP;
ALTER TABLE job_queue ADD COLUMN last_error_traceback TEXT;
ALTER TABLE job_queue ADD COLUMN dead_letter_reason TEXT;
ALTER TABLE job_queue ADD COLUMN moved_to_dead_letter_at TIMESTAMP;

CREATE INDEX idx_job_queue_failure_type ON job_queue (failure_type);
CREATE INDEX idx_job_queue_next_retry_at ON job_queue (next_retry_at);
