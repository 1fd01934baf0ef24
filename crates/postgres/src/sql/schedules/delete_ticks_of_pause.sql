DELETE FROM longshore.tick
WHERE schedule = $1
  AND due_at >= $2
  AND kind = 'scheduled'
  AND outcome = 'skipped_paused'
