SELECT queue, 'cancelled', count(*)
FROM longshore.ended
WHERE status = 2
GROUP BY queue
