UPDATE longshore.history
SET last_id = GREATEST(last_id, $1)
