INSERT INTO job_checkpoints (job_id, step, attempt, saved_at, value)
VALUES (?1, ?2, ?3, ?4, ?5)
