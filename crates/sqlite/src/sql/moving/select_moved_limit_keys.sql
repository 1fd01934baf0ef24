-- What the rates of keys have spent, of types that have a rule. A key has one lane for each queue.
SELECT lane.job_type, lane.limit_key, max(lane.arrival), max(lane.closed_until)
FROM job_lanes AS lane
JOIN job_limits AS type ON type.scope = 'type' AND type.name = lane.job_type
WHERE lane.limit_key <> ''
  AND (type.configured IS NOT NULL OR type.manual IS NOT NULL)
GROUP BY lane.job_type, lane.limit_key
HAVING max(lane.arrival) <> 0
    OR max(lane.closed_until) IS NOT NULL
