INSERT INTO job_ticks (schedule, due_at, until_at, ticks, kind, outcome, job_id, decided_at, decided_by, why)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
