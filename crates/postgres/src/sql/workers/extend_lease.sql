UPDATE longshore.worker
SET heartbeat_at = longshore.now(),
    heartbeat_number = heartbeat_number + 1
WHERE worker = $1
