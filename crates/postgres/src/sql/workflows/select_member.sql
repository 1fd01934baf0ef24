SELECT id, batch_id, reference, role
FROM longshore.member
WHERE id = $1
