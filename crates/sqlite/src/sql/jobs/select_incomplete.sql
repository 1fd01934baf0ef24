-- Normally empty: only a program that has switched triggers off leaves such a row.
SELECT id
FROM job_queue INDEXED BY job_queue_incomplete
WHERE queue IS NULL OR priority IS NULL
LIMIT ?1
