SELECT name, scopes, created_at
FROM job_tokens
WHERE hash = ?1
