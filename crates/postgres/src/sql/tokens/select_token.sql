SELECT name, scopes, created_at
FROM longshore.token
WHERE hash = $1
