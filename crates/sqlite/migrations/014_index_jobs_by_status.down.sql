DROP INDEX job_queue_listed;
