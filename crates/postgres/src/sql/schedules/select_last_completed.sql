-- Of each schedule the newest tick whose job has completed, or is gone, among its newest $2 with a job.
SELECT wanted.name, t.completed_at, t.due_at
FROM unnest($1::text[]) AS wanted (name)
CROSS JOIN LATERAL (
    SELECT newest.due_at, COALESCE(e.ended_at, newest.decided_at) AS completed_at
    FROM (
        SELECT due_at, decided_at, job_id
        FROM longshore.tick
        WHERE schedule = wanted.name
          AND job_id IS NOT NULL
        ORDER BY due_at DESC
        LIMIT $2
    ) AS newest
    LEFT JOIN LATERAL (
        SELECT id, ended_at FROM longshore.ended WHERE id = newest.job_id AND status = 1 LIMIT 1
    ) AS e ON true
    WHERE e.id IS NOT NULL
       OR (SELECT j.id FROM longshore.job AS j WHERE j.id = newest.job_id LIMIT 1) IS NULL
    ORDER BY newest.due_at DESC
    LIMIT 1
) AS t
