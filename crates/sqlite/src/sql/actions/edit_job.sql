UPDATE job_queue
SET job_type = COALESCE(?2, job_type),
    job_data = COALESCE(?3, job_data),
    queue = COALESCE(?4, queue)
WHERE id = ?1
  AND status IN ('pending', 'retrying', 'blocked', 'dead_letter')
