-- Only if it is still the session of the worker's last registration.
UPDATE longshore.worker
SET is_given_up = true
WHERE worker = $1
    AND session_key = $2
