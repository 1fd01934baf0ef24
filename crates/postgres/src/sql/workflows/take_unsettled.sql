-- The next $2 hints behind number $1, which are removed.
DELETE FROM longshore.unsettled
WHERE number = ANY (
    ARRAY(
        SELECT u.number
        FROM longshore.unsettled AS u
        WHERE u.number > $1
        ORDER BY u.number
        LIMIT $2
    )
)
RETURNING number, kind, target_id, after_id
