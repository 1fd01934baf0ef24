DELETE FROM longshore.tick
WHERE schedule = $1
  AND due_at = ANY ($2)
