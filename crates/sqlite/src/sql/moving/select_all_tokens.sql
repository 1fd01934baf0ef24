SELECT name, hash, scopes, created_at
FROM job_tokens
ORDER BY name
