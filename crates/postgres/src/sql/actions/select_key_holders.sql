SELECT unique_key, id
FROM longshore.unique_key
WHERE unique_key = ANY($1)
