SELECT m.id, m.batch_id, m.reference, m.role, m.counted
FROM longshore.member AS m
WHERE m.id = ANY($1)
ORDER BY m.id
