SELECT due_at
FROM longshore.tick
WHERE schedule = $1
  AND due_at >= $2
  AND due_at <= $3
ORDER BY due_at
