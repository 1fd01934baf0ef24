SELECT queue, 'dead_letter', count(*)
FROM longshore.ended
WHERE status = 3
GROUP BY queue
