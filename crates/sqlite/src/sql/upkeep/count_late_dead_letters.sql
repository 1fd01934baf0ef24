-- Only among the newest dead letters, because no index contains their times.
SELECT count(*)
FROM (
    SELECT moved_to_dead_letter_at AS moved
    FROM job_queue INDEXED BY job_queue_dead_letter
    WHERE status = 'dead_letter'
    ORDER BY id DESC
    LIMIT ?2
)
WHERE moved >= ?1
