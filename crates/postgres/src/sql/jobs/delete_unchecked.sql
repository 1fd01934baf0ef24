DELETE FROM longshore.blocked_unchecked
WHERE id = ANY ($1)
