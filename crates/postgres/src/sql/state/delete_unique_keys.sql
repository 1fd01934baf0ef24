DELETE FROM longshore.unique_key
WHERE id = ANY($1)
