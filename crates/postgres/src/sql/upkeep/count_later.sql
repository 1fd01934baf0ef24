SELECT queue, CASE WHEN is_retry THEN 'retrying' ELSE 'pending' END, count(*)
FROM longshore.later
GROUP BY queue, is_retry
