-- The keys with jobs that run or wait, of types ($1) whose payloads have them at $2, behind the key $4 of the type $3, at
-- most $5. Waiting jobs are counted up to $6, also those that no claim has sorted yet.
WITH unsorted AS MATERIALIZED (
    SELECT r.job_type, r.limit_key, count(*) AS jobs
    FROM (
        SELECT t.job_type, COALESCE(j.limit_key, longshore.limit_key_of(j.job_data, t.pointer)) AS limit_key
        FROM unnest($1::text[], $2::text[]) AS t (job_type, pointer)
        CROSS JOIN LATERAL (
            SELECT r.id
            FROM ONLY longshore.ready AS r
            WHERE r.job_type = t.job_type
            ORDER BY r.job_type, r.queue, r.rank, r.again, r.id
            LIMIT $6
        ) AS r
        CROSS JOIN LATERAL (
            SELECT j.limit_key, j.job_data
            FROM longshore.job AS j
            WHERE j.id = r.id
            LIMIT 1
        ) AS j
    ) AS r
    WHERE r.limit_key IS NOT NULL
    GROUP BY r.job_type, r.limit_key
),
known AS MATERIALIZED (
    SELECT k.key_id, k.job_type, k.limit_key, k.arrival, k.closed_until
    FROM unnest($1::text[]) AS t (job_type)
    CROSS JOIN LATERAL (
        SELECT k.key_id, k.job_type, k.limit_key, k.arrival, k.closed_until
        FROM longshore.limit_key AS k
        -- One row of any: an EXISTS may become a hash of all rows.
        CROSS JOIN LATERAL (
            (
                SELECT
                FROM longshore.running AS r
                WHERE r.key_id = k.key_id
                  AND r.claim_number >= k.counted_from
                ORDER BY r.claim_number
                LIMIT 1
            )
            UNION ALL
            (
                SELECT
                FROM longshore.lane AS l
                CROSS JOIN LATERAL (
                    SELECT
                    FROM longshore.laned AS r
                    WHERE r.lane = l.lane
                    ORDER BY r.rank, r.id
                    LIMIT 1
                ) AS r
                WHERE l.key_id = k.key_id
                ORDER BY l.key_id, l.queue
                LIMIT 1
            )
            UNION ALL
            (
                SELECT
                FROM unsorted AS u
                WHERE u.job_type = k.job_type
                  AND u.limit_key = k.limit_key
                LIMIT 1
            )
            LIMIT 1
        ) AS x
        WHERE k.job_type = t.job_type
          AND k.limit_key > CASE WHEN t.job_type = $3 THEN $4 ELSE '' END
        ORDER BY k.limit_key
        LIMIT $5
    ) AS k
    WHERE t.job_type COLLATE "C" >= $3
)
SELECT k.job_type, k.limit_key, k.arrival, k.closed_until,
       (SELECT count(*) FROM longshore.running AS r WHERE r.key_id = k.key_id) AS running,
       LEAST(
           (
               SELECT count(*)
               FROM (
                   SELECT
                   FROM longshore.lane AS l
                   CROSS JOIN LATERAL (
                       SELECT
                       FROM longshore.laned AS r
                       WHERE r.lane = l.lane
                       ORDER BY r.rank, r.id
                       LIMIT $6
                   ) AS r
                   WHERE l.key_id = k.key_id
                   ORDER BY l.key_id, l.queue
                   LIMIT $6
               ) AS r
           )
           + COALESCE(
               (SELECT u.jobs FROM unsorted AS u WHERE u.job_type = k.job_type AND u.limit_key = k.limit_key), 0
           ),
           $6
       ) AS waiting
FROM known AS k
UNION ALL
SELECT u.job_type, u.limit_key, 0, NULL, 0, LEAST(u.jobs, $6)
FROM unsorted AS u
WHERE (u.job_type COLLATE "C", u.limit_key COLLATE "C") > ($3, $4)
  AND NOT EXISTS (SELECT FROM longshore.limit_key AS k WHERE k.job_type = u.job_type AND k.limit_key = u.limit_key)
ORDER BY job_type, limit_key
LIMIT $5
