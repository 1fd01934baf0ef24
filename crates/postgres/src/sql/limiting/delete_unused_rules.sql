-- Limits without a rule, unless a handler was asked to slow down or their jobs still stand in lanes.
DELETE FROM longshore.job_limit AS l
WHERE l.configured IS NULL
  AND l.manual IS NULL
  AND (l.closed_until IS NULL OR l.closed_until <= longshore.now())
  AND NOT EXISTS (SELECT FROM longshore.lane AS n WHERE l.scope = 2 AND n.job_type = l.name AND n.is_stale)
