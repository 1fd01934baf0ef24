DELETE FROM job_minutes
WHERE (minute, queue) IN (
    SELECT minute, queue
    FROM job_minutes
    WHERE minute < ?1
    ORDER BY minute, queue
    LIMIT ?2
)
