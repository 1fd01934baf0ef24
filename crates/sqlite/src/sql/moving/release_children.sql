-- A blocked job must have a parent, and the foreign key takes it away with the parent's row.
UPDATE job_queue
SET status = 'pending'
WHERE parent_job_id = ?1
  AND status = 'blocked'
RETURNING queue
