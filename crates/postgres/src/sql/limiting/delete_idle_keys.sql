-- Removes at most $3 keys of a type ($1) behind the key $2 that hold nothing: no lane, no running job, and a rate that is
-- as good as new at $4. Gives the last one that was looked at, and how many there were.
WITH looked AS MATERIALIZED (
    SELECT k.key_id, k.limit_key, k.arrival, k.closed_until
    FROM longshore.limit_key AS k
    WHERE k.job_type = $1
      AND k.limit_key > $2
    ORDER BY k.limit_key
    LIMIT $3
),
gone AS (
    DELETE FROM longshore.limit_key
    WHERE key_id = ANY (
        ARRAY(
            SELECT k.key_id
            FROM looked AS k
            WHERE k.arrival <= $4
              AND (k.closed_until IS NULL OR k.closed_until <= longshore.now())
              AND NOT EXISTS (SELECT FROM longshore.lane AS l WHERE l.key_id = k.key_id)
              AND NOT EXISTS (SELECT FROM longshore.running AS r WHERE r.key_id = k.key_id)
        )
    )
)
SELECT max(l.limit_key) AS last_key, count(*) AS jobs
FROM looked AS l
