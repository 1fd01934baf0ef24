SELECT queue, 'completed', count(*)
FROM longshore.ended
WHERE status = 1
GROUP BY queue
