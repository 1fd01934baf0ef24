-- One seek: a database without child jobs pays nothing more when jobs end.
SELECT EXISTS (
    SELECT 1
    FROM job_queue INDEXED BY job_queue_parent
    WHERE parent_job_id IS NOT NULL
)
