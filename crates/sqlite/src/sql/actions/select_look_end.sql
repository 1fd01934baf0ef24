-- The last of the jobs that a page may look at, if there are as many.
SELECT id
FROM job_queue
WHERE /* narrowed */ id < ?1
ORDER BY id DESC
LIMIT 1 OFFSET ?2
