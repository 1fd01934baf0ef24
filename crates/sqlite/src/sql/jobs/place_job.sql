-- Every column that the settings of a type concern, although two keep their values: SQLite checks only the constraints
-- of columns that are set.
UPDATE job_queue
SET queue = 'default',
    priority = COALESCE(priority, 5),
    max_retries = max_retries,
    timeout_seconds = timeout_seconds,
    awaits_settings = NULL
WHERE id = ?1
  AND queue IS NULL
  AND status IN ('pending', 'retrying', 'blocked')
