SELECT c.id, max(c.value::text) FILTER (WHERE c.step = ''), count(*) FILTER (WHERE c.step <> '')
FROM longshore.checkpoint AS c
WHERE c.id = ANY ($1)
GROUP BY c.id
