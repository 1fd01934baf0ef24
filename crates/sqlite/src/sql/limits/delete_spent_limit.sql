-- A subject without a rule is kept while its jobs stand in lanes or a handler was asked to slow down.
DELETE FROM job_limits
WHERE number = ?1
  AND configured IS NULL
  AND manual IS NULL
  AND COALESCE(closed_until, 0) <= ?2
  AND NOT EXISTS (SELECT 1 FROM job_lanes WHERE job_lanes.job_type = job_limits.name)
