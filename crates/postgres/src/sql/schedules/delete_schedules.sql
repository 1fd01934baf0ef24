DELETE FROM longshore.schedule
WHERE name = ANY ($1)
