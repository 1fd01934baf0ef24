SELECT t.schedule, t.due_at, t.until_at, t.ticks, t.kind, t.outcome, t.job_id, t.decided_at, t.decided_by, t.why
FROM unnest($1::text[]) AS wanted (name)
CROSS JOIN LATERAL (
    SELECT *
    FROM longshore.tick
    WHERE schedule = wanted.name
    ORDER BY due_at DESC
    LIMIT 1
) AS t
