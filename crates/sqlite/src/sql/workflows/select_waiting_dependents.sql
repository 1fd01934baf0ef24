-- The blocked jobs behind job ?2 that wait for job ?1. Each part has its own limit, so that neither is sorted as a whole.
SELECT id, job_type, status, MAX(is_child) AS is_child
FROM (
    SELECT *
    FROM (
        SELECT id, job_type, status, 1 AS is_child
        FROM job_queue INDEXED BY job_queue_blocked
        WHERE parent_job_id = ?1
          AND status = 'blocked'
          AND id > ?2
        ORDER BY id
        LIMIT ?3
    )
    UNION ALL
    SELECT *
    FROM (
        SELECT DISTINCT job_queue.id, job_type, status, 0 AS is_child
        FROM job_waits INDEXED BY job_waits_waiting
        JOIN job_queue ON job_queue.id = job_waits.job_id
        WHERE job_waits.state = 'waiting'
          AND job_waits.kind = 'job'
          AND job_waits.target_id = ?1
          AND job_waits.signal = ''
          AND job_waits.job_id > ?2
          AND job_queue.status = 'blocked'
        ORDER BY job_waits.job_id
        LIMIT ?3
    )
)
GROUP BY id
ORDER BY id
LIMIT ?3
