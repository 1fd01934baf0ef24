SELECT schedule, due_at, until_at, ticks, kind, outcome, job_id, decided_at, decided_by, why
FROM (
    SELECT t.*, row_number() OVER (PARTITION BY t.schedule ORDER BY t.due_at DESC) AS place
    FROM longshore.tick AS t
) AS placed
WHERE place <= $1
ORDER BY schedule, due_at DESC
