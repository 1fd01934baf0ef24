DROP TRIGGER job_queue_inserting;
DROP TRIGGER job_queue_replaced_by_insert;
DROP TRIGGER job_queue_updating;
DROP TRIGGER job_queue_replaced_by_update;
DROP TRIGGER job_queue_deleted;
CREATE TRIGGER job_queue_deleted AFTER DELETE ON job_queue
BEGIN
    INSERT INTO job_depths (queue, status, jobs) VALUES (OLD.queue, OLD.status, -1)
    ON CONFLICT (queue, status) DO UPDATE SET jobs = jobs - 1;
    DELETE FROM job_attempts WHERE job_id = OLD.id;
    DELETE FROM job_logs WHERE job_id = OLD.id;
END;
DROP TABLE job_replaced;

DROP INDEX job_queue_ready;
CREATE INDEX job_queue_ready ON job_queue (queue, job_type, priority DESC, id)
    WHERE status = 'pending' AND run_at IS NULL;

DROP TABLE job_duties;

ALTER TABLE job_queue DROP COLUMN lapsed_worker_id;
ALTER TABLE job_queue DROP COLUMN isolated_claim;
