-- How many other keys of the type and queue of a ready job ($1), whose payload has its key at $2, have their turn before its
-- own, and how many jobs of its key come first; each at most $3. Jobs that no claim has sorted yet are looked at where they
-- are, a bounded number of them.
WITH own AS MATERIALIZED (
    SELECT j.id, j.job_type, j.queue, -GREATEST(j.priority, -2147483647) AS rank,
           COALESCE(j.limit_key, longshore.limit_key_of(j.job_data, $2), '') COLLATE "C" AS limit_key
    FROM longshore.job AS j
    WHERE j.id = $1
),
unsorted AS MATERIALIZED (
    SELECT r.id, r.rank, COALESCE(b.limit_key, longshore.limit_key_of(b.job_data, $2), '') COLLATE "C" AS limit_key
    FROM own
    CROSS JOIN LATERAL (
        SELECT r.id, r.rank
        FROM ONLY longshore.ready AS r
        WHERE r.job_type = own.job_type
          AND r.queue = own.queue
        ORDER BY r.rank, r.again, r.id
        LIMIT $3
    ) AS r
    CROSS JOIN LATERAL (
        SELECT b.limit_key, b.job_data
        FROM longshore.job AS b
        WHERE b.id = r.id
        LIMIT 1
    ) AS b
),
lanes AS MATERIALIZED (
    SELECT l.limit_key, l.head_rank, l.turn, l.is_waiting, l.is_full OR l.opens_at IS NOT NULL AS is_closed
    FROM own
    CROSS JOIN LATERAL (
        SELECT l.*
        FROM longshore.lane AS l
        WHERE l.job_type = own.job_type
          AND l.queue = own.queue
          AND l.is_waiting
          AND NOT l.is_full
          AND NOT l.is_stale
          AND l.opens_at IS NULL
        ORDER BY l.head_rank, l.turn, l.limit_key
        LIMIT $3
    ) AS l
),
heads AS MATERIALIZED (
    SELECT k.limit_key, min(k.rank) AS head_rank, COALESCE(max(k.turn), 0) AS turn
    FROM (
        SELECT l.limit_key, l.head_rank AS rank, l.turn FROM lanes AS l
        UNION ALL
        SELECT u.limit_key, u.rank, n.turn
        FROM unsorted AS u
        CROSS JOIN own
        LEFT JOIN LATERAL (
            SELECT n.lane, n.turn, n.is_full, n.opens_at
            FROM (
                SELECT k.key_id
                FROM longshore.limit_key AS k
                WHERE k.job_type = own.job_type
                  AND k.limit_key = u.limit_key
                LIMIT 1
            ) AS k
            CROSS JOIN LATERAL (
                SELECT n.lane, n.turn, n.is_full, n.opens_at
                FROM longshore.lane AS n
                WHERE n.key_id = k.key_id
                  AND n.queue = own.queue
                LIMIT 1
            ) AS n
        ) AS n ON true
        WHERE n.lane IS NULL
           OR NOT n.is_full AND n.opens_at IS NULL
    ) AS k
    GROUP BY k.limit_key
),
place AS MATERIALIZED (
    SELECT COALESCE(h.head_rank, own.rank) AS head_rank,
           COALESCE(h.turn, n.turn, 0) AS turn, own.limit_key, own.rank, own.id, n.lane
    FROM own
    LEFT JOIN heads AS h ON h.limit_key = own.limit_key
    LEFT JOIN LATERAL (
        SELECT n.lane, n.turn, n.is_full, n.opens_at
        FROM (
            SELECT k.key_id
            FROM longshore.limit_key AS k
            WHERE k.job_type = own.job_type
              AND k.limit_key = own.limit_key
            LIMIT 1
        ) AS k
        CROSS JOIN LATERAL (
            SELECT n.lane, n.turn, n.is_full, n.opens_at
            FROM longshore.lane AS n
            WHERE n.key_id = k.key_id
              AND n.queue = own.queue
            LIMIT 1
        ) AS n
    ) AS n ON true
)
SELECT (
           SELECT LEAST(count(*), $3)
           FROM heads AS h
           CROSS JOIN place AS p
           WHERE h.limit_key <> p.limit_key
             AND (h.head_rank, h.turn, h.limit_key) < (p.head_rank, p.turn, p.limit_key)
       ) AS keys,
       (
           SELECT LEAST(count(*), $3)
           FROM (
               SELECT
               FROM place AS p
               CROSS JOIN LATERAL (
                   SELECT
                   FROM longshore.laned AS r
                   WHERE r.lane = p.lane
                     AND (r.rank, r.id) < (p.rank, p.id)
                   ORDER BY r.rank, r.id
                   LIMIT $3
               ) AS r
               UNION ALL
               SELECT
               FROM place AS p
               JOIN unsorted AS u ON u.limit_key = p.limit_key AND (u.rank, u.id) < (p.rank, p.id)
           ) AS before
       ) AS jobs
