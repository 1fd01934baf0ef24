-- The version of the rules, and each rule that holds. A type without a rule may still have jobs in lanes.
SELECT v.version, l.scope, l.name, COALESCE(l.manual, l.configured) AS rule,
       EXISTS (SELECT FROM longshore.lane AS n WHERE l.scope = 2 AND n.job_type = l.name AND n.is_stale) AS has_stale_lanes
FROM longshore.limit_version AS v
LEFT JOIN longshore.job_limit AS l ON true
