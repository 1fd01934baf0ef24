SELECT schedule
FROM job_ticks
WHERE schedule > ?1
ORDER BY schedule
LIMIT 1
