DROP INDEX idx_job_queue_next_retry_at;
DROP INDEX idx_job_queue_failure_type;

ALTER TABLE job_queue DROP COLUMN moved_to_dead_letter_at;
ALTER TABLE job_queue DROP COLUMN dead_letter_reason;
ALTER TABLE job_queue DROP COLUMN last_error_traceback;
ALTER TABLE job_queue DROP COLUMN next_retry_at;
ALTER TABLE job_queue DROP COLUMN failure_type;
