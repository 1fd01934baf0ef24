SELECT arrival, closed_until, turn
FROM job_limits
WHERE number = ?1
