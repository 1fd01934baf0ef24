-- Gives no row if another transaction gave the number meanwhile: then it is found the next time.
WITH known AS (
    SELECT worker
    FROM longshore.worker_name
    WHERE worker_id = $1
), made AS (
    INSERT INTO longshore.worker_name (worker_id)
    SELECT $1
    WHERE NOT EXISTS (SELECT FROM known)
    ON CONFLICT (worker_id) DO NOTHING
    RETURNING worker
)
SELECT worker
FROM known
UNION ALL
SELECT worker
FROM made
