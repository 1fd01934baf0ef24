-- Puts ready jobs of a type ($1), whose keys are where the pointer $2 says, into the lanes of their keys, at most $3.
-- Only the holder of the lock for sorting this type runs it. A claim that holds a lane may be about to find it empty: its
-- jobs stay until the next time. Says how many there were and how many were moved.
WITH due AS MATERIALIZED (
    SELECT r.ctid AS place, r.queue, r.rank, r.again, r.id, r.ready_at, r.has_story
    FROM ONLY longshore.ready AS r
    WHERE r.job_type = $1
    ORDER BY r.job_type, r.queue, r.rank, r.again, r.id
    LIMIT $3
    FOR UPDATE SKIP LOCKED
),
keyed AS MATERIALIZED (
    SELECT d.*, COALESCE(j.limit_key, j.found_key, '') AS limit_key
    FROM due AS d
    LEFT JOIN LATERAL (
        SELECT b.limit_key, CASE WHEN b.limit_key IS NULL THEN longshore.limit_key_of(b.job_data, $2) END AS found_key
        FROM longshore.job AS b
        WHERE b.id = d.id
        LIMIT 1
    ) AS j ON true
),
kind AS MATERIALIZED (
    SELECT k.limit_key, k.queue, min(k.rank) AS head_rank
    FROM keyed AS k
    GROUP BY k.limit_key, k.queue
),
old_key AS MATERIALIZED (
    SELECT k.limit_key, x.key_id
    FROM (SELECT DISTINCT kind.limit_key FROM kind) AS k
    CROSS JOIN LATERAL (
        SELECT l.key_id
        FROM longshore.limit_key AS l
        WHERE l.job_type = $1
          AND l.limit_key = k.limit_key
        LIMIT 1
    ) AS x
),
new_key AS (
    INSERT INTO longshore.limit_key (job_type, limit_key)
    SELECT $1, k.limit_key
    FROM kind AS k
    WHERE k.limit_key NOT IN (SELECT o.limit_key FROM old_key AS o)
    GROUP BY k.limit_key
    RETURNING key_id, limit_key
),
key AS MATERIALIZED (
    SELECT o.limit_key, o.key_id FROM old_key AS o
    UNION ALL
    SELECT n.limit_key, n.key_id FROM new_key AS n
),
place AS MATERIALIZED (
    SELECT key.key_id, k.limit_key, k.queue, k.head_rank, x.lane
    FROM kind AS k
    JOIN key ON key.limit_key = k.limit_key
    LEFT JOIN LATERAL (
        SELECT l.lane
        FROM longshore.lane AS l
        WHERE l.key_id = key.key_id
          AND l.queue = k.queue
        LIMIT 1
    ) AS x ON true
),
new_lane AS (
    INSERT INTO longshore.lane (key_id, job_type, queue, limit_key, head_rank, used_at)
    SELECT p.key_id, $1, p.queue, p.limit_key, p.head_rank, longshore.now()
    FROM place AS p
    WHERE p.lane IS NULL
    RETURNING lane, key_id, queue
),
old_lane AS MATERIALIZED (
    SELECT p.key_id, p.queue, p.head_rank, x.lane
    FROM place AS p
    CROSS JOIN LATERAL (
        SELECT l.lane
        FROM longshore.lane AS l
        WHERE l.lane = p.lane
          AND NOT l.is_stale
        LIMIT 1
        FOR NO KEY UPDATE SKIP LOCKED
    ) AS x
),
goal AS MATERIALIZED (
    SELECT p.limit_key, p.queue, o.lane
    FROM old_lane AS o
    JOIN place AS p ON p.key_id = o.key_id AND p.queue = o.queue
    UNION ALL
    SELECT p.limit_key, p.queue, n.lane
    FROM new_lane AS n
    JOIN place AS p ON p.key_id = n.key_id AND p.queue = n.queue
),
sorted AS MATERIALIZED (
    SELECT k.*, g.lane
    FROM keyed AS k
    JOIN goal AS g ON g.limit_key = k.limit_key AND g.queue = k.queue
),
gone AS (
    DELETE FROM ONLY longshore.ready
    WHERE ctid = ANY (ARRAY(SELECT s.place FROM sorted AS s))
),
put AS (
    INSERT INTO longshore.laned (job_type, queue, rank, again, id, ready_at, has_story, lane)
    SELECT $1, s.queue, s.rank, s.again, s.id, s.ready_at, s.has_story, s.lane
    FROM sorted AS s
),
opened AS (
    UPDATE longshore.lane AS l
    SET is_waiting = true,
        head_rank = CASE WHEN l.is_waiting THEN LEAST(l.head_rank, o.head_rank) ELSE o.head_rank END
    FROM old_lane AS o
    WHERE l.lane = o.lane
      AND (NOT l.is_waiting OR l.head_rank > o.head_rank)
)
SELECT (SELECT count(*) FROM due) AS found, (SELECT count(*) FROM sorted) AS moved
