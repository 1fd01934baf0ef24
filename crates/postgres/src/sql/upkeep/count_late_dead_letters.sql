-- Only among the newest dead letters, because no index contains their times.
SELECT count(*)
FROM (
    SELECT ended_at
    FROM longshore.ended
    WHERE status = 3
    ORDER BY id DESC
    LIMIT $2
) AS newest
WHERE ended_at >= $1
