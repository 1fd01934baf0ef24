-- Those that have passed, of jobs for which they mean nothing any more.
DELETE FROM longshore.time_limit
WHERE overdue_at <= longshore.now()
  AND id = ANY ($1)
