ALTER TABLE job_workers DROP COLUMN suspicion_count;
ALTER TABLE job_workers DROP COLUMN file_id;
ALTER TABLE job_workers DROP COLUMN boot_id;

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
DROP TRIGGER job_queue_lost_its_parent;
CREATE TRIGGER job_queue_lost_its_parent AFTER INSERT ON job_queue
WHEN NEW.status = 'pending' AND NEW.parent_job_id IS NOT NULL
    AND EXISTS (SELECT 1 FROM job_queue WHERE id = NEW.parent_job_id AND status IN ('cancelled', 'dead_letter'))
BEGIN
    UPDATE job_queue
    SET status = 'dead_letter',
        dead_letter_reason = 'its parent job ' || NEW.parent_job_id || ' had not completed',
        moved_to_dead_letter_at = NEW.created_at
    WHERE id = NEW.id;
END;

DROP TRIGGER job_queue_leaves_its_children;
DROP TRIGGER job_queue_given_up;
DROP TRIGGER job_queue_completed;
DROP TRIGGER job_queue_moved_to_blocked;
DROP TRIGGER job_queue_inserted_blocked;
DROP TRIGGER job_queue_inserted_retrying;
DROP TRIGGER job_queue_retries_in_time;
DROP TRIGGER job_queue_guards_parent;
DROP TRIGGER job_queue_guards_claim;
DROP TRIGGER job_queue_guards_id;
DROP TRIGGER job_queue_guards_names;
DROP TRIGGER job_queue_guards_insert;

DROP INDEX job_queue_stuck;
DROP INDEX job_queue_blocked;

DROP TABLE job_duties;

ALTER TABLE job_queue DROP COLUMN lapsed_worker_id;
ALTER TABLE job_queue DROP COLUMN isolated_claim;
