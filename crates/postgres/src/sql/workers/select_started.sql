SELECT slots, ids, claim_numbers, are_accompanied
FROM longshore.started
WHERE worker = $1
ORDER BY note
