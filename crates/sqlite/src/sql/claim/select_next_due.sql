-- The index has the instant alone; whose job it is stands in the row, whose size bounds how many of them are read.
SELECT run_at, job_type, queue, octet_length(job_data)
FROM job_queue INDEXED BY job_queue_due
WHERE run_at IS NOT NULL
  AND status IN ('pending', 'retrying')
ORDER BY run_at
LIMIT ?1
