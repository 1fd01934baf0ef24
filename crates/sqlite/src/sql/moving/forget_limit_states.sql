UPDATE job_limits
SET arrival = 0,
    closed_until = NULL
WHERE arrival <> 0
   OR closed_until IS NOT NULL
