DROP TABLE job_duties;

ALTER TABLE job_queue DROP COLUMN lapsed_worker_id;
ALTER TABLE job_queue DROP COLUMN isolated_claim;
