-- What the rates of keys have spent, of types that have a rule.
SELECT k.job_type, k.limit_key, k.arrival, k.closed_until
FROM longshore.limit_key AS k
WHERE k.limit_key <> ''
  AND (k.arrival <> 0 OR k.closed_until IS NOT NULL)
  AND EXISTS (
      SELECT
      FROM longshore.job_limit AS l
      WHERE l.scope = 2
        AND l.name = k.job_type
        AND (l.configured IS NOT NULL OR l.manual IS NOT NULL)
  )
ORDER BY k.job_type, k.limit_key
