UPDATE longshore.ended
SET queue = $2
WHERE id = $1
  AND status = 3
