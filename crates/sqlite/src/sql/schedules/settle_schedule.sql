-- Without the definition, which may be long and is in no index.
UPDATE job_schedules
SET settled_until = ?2, next_due_at = ?3, waiting = ?4, last_job_id = ?5
WHERE name = ?1
