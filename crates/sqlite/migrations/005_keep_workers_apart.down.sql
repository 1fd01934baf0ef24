ALTER TABLE job_workers DROP COLUMN suspicion_count;
ALTER TABLE job_workers DROP COLUMN file_id;
ALTER TABLE job_workers DROP COLUMN boot_id;

DROP TABLE job_duties;

ALTER TABLE job_queue DROP COLUMN lapsed_worker_id;
ALTER TABLE job_queue DROP COLUMN isolated_claim;
