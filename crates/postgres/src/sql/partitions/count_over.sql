-- The jobs from $1 to before $2 that ended before $3 as completed or cancelled, by queue.
SELECT queue, CASE status WHEN 1 THEN 'completed' ELSE 'cancelled' END, count(*)
FROM longshore.ended
WHERE id >= $1
  AND id < $2
  AND status <> 3
  AND ended_at < $3
GROUP BY queue, status
