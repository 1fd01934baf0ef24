DELETE FROM longshore.signal
WHERE (batch_id, name) IN (
    SELECT s.batch_id, s.name
    FROM longshore.signal AS s
    WHERE s.batch_id = ANY ($1)
    ORDER BY s.batch_id, s.name
    LIMIT $2
)
