INSERT INTO job_tokens (name, hash, scopes, created_at)
VALUES (?1, ?2, ?3, ?4)
