SELECT holder, term, taken_at
FROM job_duties
WHERE duty = ?1
