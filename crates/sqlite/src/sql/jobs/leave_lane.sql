-- Without a lane, a job of a limited type is found and sorted like those from before the limit. It may have started since.
UPDATE job_queue
SET lane = NULL
WHERE id = ?1
  AND status = 'pending'
