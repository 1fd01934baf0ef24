-- The next $2 schedules behind $1 that have ticks, and of each the newest tick, the oldest of those that always stay and
-- of those that stay at most, and whether there is an older one than what is kept: so that a look which finds nothing old
-- is one statement.
WITH RECURSIVE ticked (schedule, number) AS (
    (
        SELECT t.schedule, 1
        FROM longshore.tick AS t
        WHERE t.schedule > $1
        ORDER BY t.schedule
        LIMIT 1
    )
    UNION ALL
    SELECT next.schedule, ticked.number + 1
    FROM ticked
    CROSS JOIN LATERAL (
        SELECT t.schedule
        FROM longshore.tick AS t
        WHERE t.schedule > ticked.schedule
        ORDER BY t.schedule
        LIMIT 1
    ) AS next
    WHERE ticked.number < $2
)
SELECT ticked.schedule,
       (SELECT t.due_at FROM longshore.tick AS t WHERE t.schedule = ticked.schedule
        ORDER BY t.due_at DESC OFFSET $3 LIMIT 1) AS always,
       (SELECT t.due_at FROM longshore.tick AS t WHERE t.schedule = ticked.schedule
        ORDER BY t.due_at DESC OFFSET $4 LIMIT 1) AS at_most,
       (SELECT t.due_at FROM longshore.tick AS t WHERE t.schedule = ticked.schedule
        ORDER BY t.due_at LIMIT 1) AS oldest
FROM ticked
ORDER BY ticked.schedule
