INSERT INTO longshore.token (name, hash, scopes, created_at)
VALUES ($1, $2, $3, longshore.now())
ON CONFLICT (name) DO NOTHING
