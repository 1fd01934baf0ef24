SELECT EXISTS (
    SELECT 1
    FROM job_workers
    WHERE worker_id = ?1
)
