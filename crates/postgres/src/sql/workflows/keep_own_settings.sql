-- Queue and priority of these new jobs are what their producer chose. The function that made them is that of plain SQL: it
-- notes that a job whose type is not registered yet gets the settings of its type later.
UPDATE longshore.job
SET awaits_settings = NULL
WHERE id = ANY ($1)
  AND awaits_settings IS NOT NULL
