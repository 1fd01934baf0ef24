-- Of a type without lanes: as many rows as jobs run are read.
SELECT count(*)
FROM job_queue INDEXED BY job_queue_running
WHERE status = 'running'
  AND job_type = ?1
