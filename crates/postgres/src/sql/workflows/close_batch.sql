-- The lock of a change of the key, for which those that add members keep this one waiting.
WITH held AS MATERIALIZED (
    SELECT id
    FROM longshore.batch
    WHERE id = $1
    FOR UPDATE
)
UPDATE longshore.batch AS b
SET closed_at = COALESCE(b.closed_at, longshore.now())
FROM held
WHERE b.id = held.id
RETURNING b.id
