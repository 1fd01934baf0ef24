-- Only if it is still the session of the worker's last registration. From then on its lease alone decides.
UPDATE longshore.worker
SET server_run = NULL,
    heartbeat_number = heartbeat_number + 1
WHERE worker = $1
    AND session_key = $2
