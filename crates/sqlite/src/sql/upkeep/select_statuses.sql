-- The status of every job. It is read until the time limit of the snapshot.
SELECT queue, status
FROM job_queue
