SELECT name, scopes, created_at
FROM longshore.token
ORDER BY name
LIMIT $1
