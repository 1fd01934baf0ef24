-- The jobs that run without a signal after a limited time, those first whose time comes first, at most $1.
SELECT d.id
FROM longshore.dependency AS d
WHERE d.state = 'waiting'
  AND d.timeout_at IS NOT NULL
  AND d.kind = 'signal'
  AND d.otherwise = 'run'
  AND NOT EXISTS (
      SELECT 1
      FROM longshore.dependency AS other
      WHERE other.id = d.id
        AND other.state = 'waiting'
        AND other.kind = 'signal'
        AND (other.timeout_at IS NULL OR other.otherwise <> 'run')
  )
ORDER BY d.timeout_at
LIMIT $1
