-- Three seeks: a database without child jobs and without workflows pays nothing more when jobs end.
SELECT EXISTS (
           SELECT 1
           FROM job_queue INDEXED BY job_queue_parent
           WHERE parent_job_id IS NOT NULL
       ),
       EXISTS (SELECT 1 FROM job_members)
           OR EXISTS (SELECT 1 FROM job_waits)
