SELECT name, hash, scopes, created_at
FROM longshore.token
ORDER BY name
