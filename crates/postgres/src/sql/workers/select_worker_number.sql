SELECT worker
FROM longshore.worker_name
WHERE worker_id = $1
