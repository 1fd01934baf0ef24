-- When the newest of the completed and cancelled jobs from $1 to before $2 ended. No index contains the times.
SELECT max(newest.ended_at)
FROM (
    SELECT ended_at
    FROM longshore.ended
    WHERE id >= $1
      AND id < $2
      AND status <> 3
    ORDER BY id DESC
    LIMIT 1000
) AS newest
