DELETE FROM longshore.started
WHERE worker = $1
