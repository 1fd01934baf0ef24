UPDATE longshore.job
SET awaits_settings = NULL
WHERE id = $1
