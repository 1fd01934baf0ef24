SELECT name, scopes, created_at
FROM job_tokens
ORDER BY name
LIMIT ?1
