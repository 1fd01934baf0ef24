SELECT name, sql
FROM sqlite_schema
WHERE tbl_name IN ('job_queue', 'job_attempts', 'job_logs', 'job_queues', 'job_depths', 'job_minutes', 'job_workers')
ORDER BY type, name
