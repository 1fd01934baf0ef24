SELECT heartbeat_number, session_key
FROM longshore.worker
WHERE worker = $1
FOR UPDATE
