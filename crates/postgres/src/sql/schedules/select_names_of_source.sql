SELECT name
FROM longshore.schedule
WHERE source = $1
ORDER BY name
