UPDATE longshore.audit
SET ended_at = longshore.now(),
    changed = $2,
    error = $3
WHERE id = $1
