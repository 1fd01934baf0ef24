-- The next attempt of a job starts from the beginning, and runs steps again that had finished.
DROP TRIGGER job_replaced_forgets_checkpoints;
DROP TRIGGER job_queue_begins_without_checkpoints;
DROP TRIGGER job_queue_forgets_checkpoints;
DROP TABLE job_checkpoints;
