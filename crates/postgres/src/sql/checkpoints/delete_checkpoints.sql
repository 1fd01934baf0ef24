DELETE FROM longshore.checkpoint
WHERE id = ANY ($1)
