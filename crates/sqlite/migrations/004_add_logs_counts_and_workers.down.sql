DROP TRIGGER job_queue_lost_its_parent;
DROP TRIGGER job_queue_waits_for_parent;
DROP TRIGGER job_queue_deleted;
DROP TRIGGER job_queue_moved;
DROP TRIGGER job_queue_inserted;

DROP TABLE job_workers;
DROP TABLE job_minutes;
DROP TABLE job_depths;
DROP TABLE job_queues;
DROP TABLE job_logs;
