DELETE FROM longshore.tick
WHERE schedule = $1
  AND due_at = ANY (ARRAY(
      SELECT due_at
      FROM longshore.tick
      WHERE schedule = $1
        AND due_at < $2
      ORDER BY due_at
      LIMIT $3
  ))
