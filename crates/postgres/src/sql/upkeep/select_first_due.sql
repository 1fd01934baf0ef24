SELECT due_at
FROM longshore.later
ORDER BY due_at, id
LIMIT 1
