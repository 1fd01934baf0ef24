-- Closes types ($1) until $2. Says whether there is one that had no rule, so that claims do not know of it.
WITH asked AS MATERIALIZED (
    SELECT t.job_type, t.closed_until
    FROM unnest($1::text[], $2::timestamptz[]) AS t (job_type, closed_until)
),
known AS MATERIALIZED (
    SELECT l.name
    FROM longshore.job_limit AS l
    WHERE l.scope = 2
      AND l.name = ANY ($1::text[])
),
closed AS (
    INSERT INTO longshore.job_limit AS l (scope, name, closed_until)
    SELECT 2, a.job_type, a.closed_until
    FROM asked AS a
    ORDER BY a.job_type
    ON CONFLICT (scope, name) DO UPDATE
    SET closed_until = GREATEST(l.closed_until, excluded.closed_until)
)
SELECT EXISTS (SELECT FROM asked AS a WHERE a.job_type NOT IN (SELECT k.name FROM known AS k)) AS has_new
