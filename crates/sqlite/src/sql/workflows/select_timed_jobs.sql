SELECT w.job_id
FROM job_waits AS w INDEXED BY job_waits_due
WHERE w.timeout_at IS NOT NULL
  AND w.state = 'waiting'
  AND w.kind = 'signal'
  AND w.otherwise = 'run'
  AND NOT EXISTS (
      SELECT 1
      FROM job_waits AS other
      WHERE other.job_id = w.job_id
        AND other.state = 'waiting'
        AND other.kind = 'signal'
        AND (other.timeout_at IS NULL OR other.otherwise <> 'run')
  )
ORDER BY w.timeout_at
LIMIT ?1
