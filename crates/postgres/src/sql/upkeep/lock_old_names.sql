-- Names of workers behind $1 that are not registered, without the newest $2.
SELECT n.worker
FROM longshore.worker_name AS n
WHERE n.worker > $1
  AND n.worker <= (SELECT max(newest.worker) FROM longshore.worker_name AS newest) - $2
  AND NOT EXISTS (SELECT FROM longshore.worker AS w WHERE w.worker = n.worker)
ORDER BY n.worker
LIMIT $3
FOR UPDATE SKIP LOCKED
