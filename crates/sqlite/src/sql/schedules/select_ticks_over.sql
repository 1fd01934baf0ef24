-- All of a span, and the runs that reach into it.
SELECT schedule, due_at, until_at, ticks, kind, outcome, job_id, decided_at, decided_by, why
FROM job_ticks
WHERE schedule = ?1 AND due_at <= ?3 AND (due_at >= ?2 OR until_at >= ?2)
ORDER BY due_at
