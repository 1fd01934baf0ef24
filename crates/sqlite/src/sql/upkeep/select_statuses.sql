-- The status of every job. It is read until the time limit of the snapshot.
SELECT COALESCE(queue, 'default'), status
FROM job_queue
