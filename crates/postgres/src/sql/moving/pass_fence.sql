-- For this transaction alone.
SELECT set_config('longshore.move_id', $1, true)
