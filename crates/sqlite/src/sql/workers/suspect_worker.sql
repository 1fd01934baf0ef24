-- Always a different value: SQLite does not write an unchanged row, and this write must fail on a full disk.
UPDATE job_workers
SET suspicion_count = suspicion_count + 1
WHERE worker_id = ?1
  AND heartbeat_number = ?2
