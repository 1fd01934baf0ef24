-- Always another value, because SQLite does not write a row that stays as it is, and this must show a full disk.
UPDATE job_workers
SET suspicion_count = suspicion_count + 1
WHERE worker_id = ?1
  AND heartbeat_number = ?2
