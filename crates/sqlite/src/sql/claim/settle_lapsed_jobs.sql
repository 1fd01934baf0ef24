-- After the claim of jobs that a worker lost because it did not extend its lease: a claim by another worker spends a
-- crash. It is a separate statement, so that other claims cost no more. The count saturates at its maximum.
UPDATE job_queue
SET crash_count = crash_count + (lapsed_worker_id <> ?2 AND crash_count < 4294967295),
    lapsed_worker_id = NULL
WHERE id IN (SELECT value FROM rarray(?1))
  AND worker_id = ?2
  AND status = 'running'
