-- The foreign keys remove its attempts and its logs, and make its children forget it.
DELETE FROM job_queue
WHERE id = ?1
  AND status <> 'running'
