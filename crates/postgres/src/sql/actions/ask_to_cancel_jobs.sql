UPDATE longshore.running
SET cancel_requested_at = COALESCE(cancel_requested_at, $2)
WHERE id = ANY($1)
