-- Lanes of which a job has ended are not full any more, as far as anybody knows. A lane that a claim holds at this moment
-- may be about to become full by what that claim has counted, so its note stays.
WITH note AS MATERIALIZED (
    SELECT f.ctid AS place, f.key_id
    FROM longshore.freed AS f
    LIMIT $1
    FOR UPDATE SKIP LOCKED
),
key AS MATERIALIZED (
    SELECT DISTINCT n.key_id
    FROM note AS n
),
held AS MATERIALIZED (
    SELECT x.lane, x.key_id, x.is_full
    FROM key AS k
    CROSS JOIN LATERAL (
        SELECT l.lane, l.key_id, l.is_full
        FROM longshore.lane AS l
        WHERE l.key_id = k.key_id
        -- The order of the index that finds them: by the number of the lane, it would be all lanes for each key.
        ORDER BY l.key_id, l.queue
        FOR NO KEY UPDATE SKIP LOCKED
    ) AS x
),
settled AS MATERIALIZED (
    SELECT k.key_id
    FROM key AS k
    WHERE (SELECT count(*) FROM longshore.lane AS l WHERE l.key_id = k.key_id)
        = (SELECT count(*) FROM held AS h WHERE h.key_id = k.key_id)
),
opened AS (
    UPDATE longshore.lane
    SET is_full = false
    WHERE lane = ANY (ARRAY(SELECT h.lane FROM held AS h WHERE h.is_full))
)
DELETE FROM longshore.freed
WHERE ctid = ANY (ARRAY(SELECT n.place FROM note AS n WHERE n.key_id IN (SELECT s.key_id FROM settled AS s)))
