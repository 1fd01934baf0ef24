INSERT INTO job_batches (
    id, name, created_at, closed_at, ended_at, members, completed, cancelled, dead_letter, callbacks
)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
