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
-- Joins of sets: a count for each key would read all of what is held for each of them.
unsettled AS MATERIALIZED (
    SELECT x.key_id
    FROM key AS k
    CROSS JOIN LATERAL (
        SELECT l.lane, l.key_id
        FROM longshore.lane AS l
        WHERE l.key_id = k.key_id
        ORDER BY l.key_id, l.queue
        OFFSET 0
    ) AS x
    WHERE x.lane NOT IN (SELECT h.lane FROM held AS h)
),
opened AS (
    UPDATE longshore.lane
    SET is_full = false
    WHERE lane = ANY (ARRAY(SELECT h.lane FROM held AS h WHERE h.is_full))
)
DELETE FROM longshore.freed
WHERE ctid = ANY (ARRAY(SELECT n.place FROM note AS n WHERE n.key_id NOT IN (SELECT u.key_id FROM unsettled AS u)))
