UPDATE longshore.job
SET expires_at = CASE WHEN expires_at > $2 THEN expires_at END,
    deadline_at = CASE WHEN deadline_at > $2 THEN deadline_at END
WHERE id = ANY($1)
