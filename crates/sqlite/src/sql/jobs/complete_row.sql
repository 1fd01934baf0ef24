-- As the triggers would have done. Its count is corrected with the others.
UPDATE job_queue
SET queue = COALESCE(queue, 'default'),
    priority = COALESCE(priority, 5),
    awaits_settings = (queue IS NULL) + 2 * (priority IS NULL)
WHERE id = ?1
  AND (queue IS NULL OR priority IS NULL)
