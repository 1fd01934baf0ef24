-- Each looked up by itself, whatever the planner expects of the table.
SELECT t.schedule, t.due_at
FROM unnest($1::text[], $2::timestamptz[]) AS wanted (schedule, due_at)
CROSS JOIN LATERAL (
    SELECT schedule, due_at
    FROM longshore.tick
    WHERE schedule = wanted.schedule
      AND due_at = wanted.due_at
    LIMIT 1
) AS t
