SELECT id
FROM longshore.time_limit
WHERE overdue_at <= longshore.now()
ORDER BY overdue_at, id
LIMIT $1
