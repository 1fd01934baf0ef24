DELETE FROM longshore.token
WHERE name = $1
