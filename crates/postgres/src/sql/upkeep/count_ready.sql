SELECT queue, 'pending', count(*)
FROM longshore.ready
GROUP BY queue
