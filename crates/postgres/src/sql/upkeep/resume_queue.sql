DELETE FROM longshore.queue_pause
WHERE queue = $1
