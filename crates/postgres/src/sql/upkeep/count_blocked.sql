SELECT queue, 'blocked', count(*)
FROM longshore.blocked
GROUP BY queue
