INSERT INTO job_waits (
    job_id, position, kind, target_id, signal, reference, needs, otherwise, timeout_ms, timeout_at
)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
