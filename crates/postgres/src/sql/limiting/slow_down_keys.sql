-- Attempts ($1 jobs, $2 claims) of the worker $3 whose handlers were asked to slow down: $4 how many milliseconds ago they
-- ended, $5 for how many milliseconds from then on. Closes the keys of those that have one, and gives the types of the
-- others. A statement before the one that ends the attempts, because then their rows are gone.
WITH asked AS MATERIALIZED (
    SELECT r.key_id, r.job_type,
           longshore.now() + (a.closed_ms - a.ended_ago_ms) * interval '1 millisecond' AS closed_until
    FROM unnest($1::bigint[], $2::bigint[], $4::bigint[], $5::bigint[]) AS a (id, claim_number, ended_ago_ms, closed_ms)
    CROSS JOIN LATERAL (
        SELECT r.key_id, r.job_type
        FROM longshore.running AS r
        WHERE r.id = a.id
          AND r.claim_number = a.claim_number
          AND r.worker = (SELECT n.worker FROM longshore.worker_name AS n WHERE n.worker_id = $3)
        LIMIT 1
    ) AS r
),
closed AS (
    UPDATE longshore.limit_key AS k
    SET closed_until = GREATEST(k.closed_until, a.closed_until)
    FROM (
        SELECT asked.key_id, max(asked.closed_until) AS closed_until
        FROM asked
        WHERE asked.key_id IS NOT NULL
        GROUP BY asked.key_id
        ORDER BY asked.key_id
    ) AS a
    WHERE k.key_id = a.key_id
)
SELECT a.job_type, max(a.closed_until) AS closed_until
FROM asked AS a
WHERE a.key_id IS NULL
GROUP BY a.job_type
ORDER BY a.job_type
