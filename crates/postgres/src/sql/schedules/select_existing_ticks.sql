SELECT t.schedule, t.due_at
FROM unnest($1::text[], $2::timestamptz[]) AS wanted (schedule, due_at)
JOIN longshore.tick AS t ON t.schedule = wanted.schedule AND t.due_at = wanted.due_at
