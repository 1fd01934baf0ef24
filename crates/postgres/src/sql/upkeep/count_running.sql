SELECT queue, 'running', count(*)
FROM longshore.running
GROUP BY queue
