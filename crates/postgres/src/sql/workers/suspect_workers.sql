-- Waits for nobody: whoever holds the row now may be frozen, and then this write shows nothing.
WITH suspect AS MATERIALIZED (
    SELECT w.worker
    FROM longshore.worker w
    JOIN unnest($1::integer[], $2::bigint[]) AS given (worker, heartbeat_number)
        ON given.worker = w.worker
        AND given.heartbeat_number = w.heartbeat_number
    ORDER BY w.worker
    FOR NO KEY UPDATE OF w SKIP LOCKED
)
UPDATE longshore.worker w
SET suspicion_count = suspicion_count + 1
FROM suspect
WHERE w.worker = suspect.worker
RETURNING w.worker
