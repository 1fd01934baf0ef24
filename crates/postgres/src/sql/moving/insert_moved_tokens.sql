INSERT INTO longshore.token (name, hash, scopes, created_at)
SELECT name, hash, scopes, created_at
FROM unnest($1::text[], $2::bytea[], $3::text[], $4::timestamptz[]) AS given (name, hash, scopes, created_at)
