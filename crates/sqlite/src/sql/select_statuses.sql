-- Where every job stands. It is read until the time for one state of the database is over.
SELECT queue, status
FROM job_queue
