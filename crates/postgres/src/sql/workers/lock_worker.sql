-- Of those who take the jobs of a worker one comes first, and the others need not wait. Its own claims and a
-- registration of it hold the row, too: then it lives.
SELECT heartbeat_number, session_key
FROM longshore.worker
WHERE worker = $1
FOR UPDATE SKIP LOCKED
