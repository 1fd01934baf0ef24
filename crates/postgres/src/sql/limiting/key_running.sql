-- The running jobs of a type ($1) get their keys by its new rule: where the pointer $2 says, or none without one.
WITH keyed AS MATERIALIZED (
    SELECT r.id, CASE WHEN $2::text IS NOT NULL THEN COALESCE(j.limit_key, longshore.limit_key_of(j.job_data, $2)) END
        AS limit_key
    FROM longshore.running AS r
    JOIN longshore.job AS j ON j.id = r.id
    WHERE r.job_type = $1
),
made AS (
    INSERT INTO longshore.limit_key AS k (job_type, limit_key)
    SELECT DISTINCT $1, keyed.limit_key
    FROM keyed
    WHERE keyed.limit_key IS NOT NULL
    ON CONFLICT (job_type, limit_key) DO UPDATE
    SET counted_from = 0
    RETURNING key_id, limit_key
)
UPDATE longshore.running AS r
SET key_id = made.key_id
FROM keyed
LEFT JOIN made ON made.limit_key = keyed.limit_key
WHERE r.id = keyed.id
