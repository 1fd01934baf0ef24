-- The dependencies whose time has passed, at most $1.
SELECT 0::bigint AS place, d.id, d.position, d.kind, d.target_id, d.signal, d.needs, d.otherwise, d.state, d.timeout_at
FROM longshore.dependency AS d
WHERE d.state = 'waiting'
  AND d.timeout_at <= $2
ORDER BY d.timeout_at
LIMIT $1
