DELETE FROM longshore.minute
WHERE (minute, queue) IN (
    SELECT minute, queue
    FROM longshore.minute
    WHERE minute < longshore.now() - interval '31 days'
    ORDER BY minute, queue
    LIMIT $1
)
