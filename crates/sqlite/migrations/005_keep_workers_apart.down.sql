DROP INDEX job_queue_ready;
CREATE INDEX job_queue_ready ON job_queue (queue, job_type, priority DESC, id)
    WHERE status = 'pending' AND run_at IS NULL;

DROP TABLE job_duties;

ALTER TABLE job_queue DROP COLUMN lapsed_worker_id;
ALTER TABLE job_queue DROP COLUMN isolated_claim;
