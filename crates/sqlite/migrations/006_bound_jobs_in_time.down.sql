DROP TRIGGER job_queue_is_timed_anew;
DROP INDEX job_queue_overdue;

ALTER TABLE job_queue DROP COLUMN overdue_seen_at;
ALTER TABLE job_queue DROP COLUMN deadline_at;
ALTER TABLE job_queue DROP COLUMN expires_at;
