-- Together with what has not been added up yet.
SELECT queue, sum(pending)::bigint, sum(running)::bigint, sum(retrying)::bigint, sum(blocked)::bigint,
       sum(completed)::bigint, sum(cancelled)::bigint, sum(dead_letter)::bigint
FROM (
    SELECT queue, pending, running, retrying, blocked, completed, cancelled, dead_letter
    FROM longshore.depth
    UNION ALL
    SELECT queue, pending, running, retrying, blocked, completed, cancelled, dead_letter
    FROM longshore.change
) AS depths
GROUP BY queue
