-- Workers that hold jobs but are not registered: another program, or a copy of a database, left them.
SELECT DISTINCT held.worker, name.worker_id
FROM (
    SELECT running.worker
    FROM longshore.running
    WHERE NOT EXISTS (SELECT FROM longshore.worker w WHERE w.worker = running.worker)
    LIMIT $1
) held
LEFT JOIN longshore.worker_name name ON name.worker = held.worker
ORDER BY held.worker
