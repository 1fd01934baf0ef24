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
